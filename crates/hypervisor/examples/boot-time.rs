//! How long a machine takes from its creation to its agent's first answer, by phase, alternating with bare QEMU
//! that boots the same kernel to the same first program's first line.
//!
//! ```text
//! cargo run --release -p container-hypervisor --example boot-time -- KERNEL INIT-DISK [RUNS] [CPUS] [KERNEL-ARG...]
//! ```
//! The disk is the one that the tests make: `target/test-guest/init.erofs`.

#[cfg(target_os = "linux")]
mod measure {
    use std::error::Error;
    use std::io::{BufRead, BufReader};
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use container_hypervisor::{AGENT_PORT, Disk, Hypervisor, VmConfig, platform};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const PHASES: [&str; 6] = ["bare QEMU", "create", "start", "connect", "answer", "together"];

    /// What the first program writes when it runs.
    const LINE: &[u8] = b"guest: up";

    struct Setting {
        kernel: PathBuf,
        init: PathBuf,
        cpus: u32,
        kernel_args: Vec<String>,
        directory: PathBuf,
    }

    pub(crate) fn main() -> Result<(), Box<dyn Error>> {
        let mut args = std::env::args().skip(1);
        let (Some(kernel), Some(init)) = (args.next(), args.next()) else {
            return Err("usage: boot-time KERNEL INIT-DISK [RUNS] [CPUS] [KERNEL-ARG...]".into());
        };
        let runs: usize = args.next().map_or(Ok(10), |runs| runs.parse())?;
        let cpus: u32 = args.next().map_or(Ok(2), |cpus| cpus.parse())?;
        let directory = std::env::temp_dir().join(format!("container-boot-time-{}", std::process::id()));
        std::fs::create_dir(&directory)?;
        let setting = Setting {
            kernel: kernel.into(),
            init: init.into(),
            cpus,
            kernel_args: args.collect(),
            directory,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let mut times = vec![Vec::new(); PHASES.len()];
        for _ in 0..runs {
            times[0].push(bare(&setting)?);
            let phases = runtime.block_on(ours(&setting))?;
            times[PHASES.len() - 1].push(phases.iter().sum());
            for (phase, time) in times[1..].iter_mut().zip(phases) {
                phase.push(time);
            }
        }
        std::fs::remove_dir_all(&setting.directory)?;
        for (phase, times) in PHASES.iter().zip(&mut times) {
            times.sort_unstable();
            println!(
                "{phase:>10}: median {:6.1} ms, least {:6.1} ms",
                millis(times[times.len() / 2]),
                millis(times[0])
            );
        }
        Ok(())
    }

    fn millis(time: Duration) -> f64 {
        time.as_secs_f64() * 1e3
    }

    async fn ours(setting: &Setting) -> Result<[Duration; 4], Box<dyn Error>> {
        let hypervisor = platform::Hypervisor::new();
        let mut config = VmConfig::new("boot-time", &setting.kernel, setting.directory.join("boot.log"));
        config.cpus = setting.cpus;
        config.kernel_args.clone_from(&setting.kernel_args);
        config.disks = vec![
            Disk::read_only(&setting.init, "init"),
            Disk::read_only(&setting.init, "image"),
            Disk::writable(image(&setting.directory)?, "scratch"),
        ];
        let mut phases = [Duration::ZERO; 4];
        let mut last = Instant::now();
        let mut lap = |phase: usize| {
            let now = Instant::now();
            phases[phase] = now - std::mem::replace(&mut last, now);
        };
        let machine = hypervisor.create(config)?;
        lap(0);
        machine.start().await?;
        lap(1);
        let mut agent = machine.connect(AGENT_PORT).await?;
        lap(2);
        agent.write_all(b"report\n").await?;
        agent.read_to_string(&mut String::new()).await?;
        lap(3);
        machine.kill();
        machine.wait().await;
        Ok(phases)
    }

    fn image(directory: &Path) -> std::io::Result<PathBuf> {
        let path = directory.join("scratch");
        std::fs::File::create(&path)?.set_len(1 << 39)?;
        Ok(path)
    }

    fn bare(setting: &Setting) -> Result<Duration, Box<dyn Error>> {
        let begun = Instant::now();
        let cpus = setting.cpus.to_string();
        let disk = format!(
            "file={},if=none,id=init,format=raw,readonly=on",
            setting.init.display()
        );
        let append = format!(
            "console=hvc0 tsc=reliable tsc_early_khz={} no_timer_check lapic_timer_khz=1000000 panic=-1 {} root=/dev/vda ro rootfstype=erofs init=/sbin/vminitd",
            std::env::var("TSC_KHZ").unwrap_or_else(|_| "2600000".to_owned()),
            setting.kernel_args.join(" ")
        );
        let mut child = Command::new("qemu-system-x86_64")
            .args([
                "-M",
                "microvm,acpi=on,pit=off,pic=off,isa-serial=off,auto-kernel-cmdline=off",
            ])
            .args([
                "-accel",
                "tcg,thread=multi",
                "-cpu",
                "max",
                "-smp",
                &cpus,
                "-m",
                "1024M",
            ])
            .args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"])
            .arg("-kernel")
            .arg(&setting.kernel)
            .args([
                "-append",
                &append,
                "-drive",
                &disk,
                "-device",
                "virtio-blk-device,drive=init",
            ])
            .args(["-chardev", "stdio,id=console", "-device", "virtio-serial-device"])
            .args(["-device", "virtconsole,chardev=console"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut line = Vec::new();
        // The kernel may write into the middle of a line.
        while !line.windows(LINE.len()).any(|part| part == LINE) {
            line.clear();
            if lines.read_until(b'\n', &mut line)? == 0 {
                return Err("bare QEMU ended early".into());
            }
        }
        let time = begun.elapsed();
        child.kill()?;
        child.wait()?;
        Ok(time)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    #[cfg(target_os = "linux")]
    measure::main()?;
    Ok(())
}

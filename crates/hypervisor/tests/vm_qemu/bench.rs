//! A kernel, a tiny guest and machines made of them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use container_hypervisor::{AGENT_PORT, Connection, Disk, Hypervisor, VirtualMachine, VmConfig, platform};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

/// Longer than anything here takes on a busy machine without hardware acceleration.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// The kernel to boot: `CONTAINER_TEST_KERNEL`, else the one that `make kernel` builds.
pub(crate) fn kernel() -> PathBuf {
    let kernel = std::env::var_os("CONTAINER_TEST_KERNEL")
        .map_or_else(|| workspace().join("build/kernel/vmlinux-x86_64"), PathBuf::from);
    assert!(
        kernel.exists(),
        "no kernel at {}: run `make kernel`",
        kernel.display()
    );
    kernel
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().ok()?.modified().ok()
}

/// The disk with the test guest, built when its program changed.
pub(crate) fn init_disk() -> PathBuf {
    let target = workspace().join("target/test-guest");
    fs::create_dir_all(&target).unwrap();
    let lock = File::create(target.join("lock")).unwrap();
    lock.lock().unwrap();
    let triple = "x86_64-unknown-linux-gnu";
    let status = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--example",
            "test-guest",
            "--release",
            "--target",
            triple,
            "--target-dir",
        ])
        .arg(&target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        // Named with its target, the flag does not reach procedural macros, which cannot be static.
        .env(
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS",
            "-C target-feature=+crt-static",
        )
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .status()
        .unwrap();
    assert!(status.success(), "the test guest does not build");
    let program = target.join(triple).join("release/examples/test-guest");
    let image = target.join("init.erofs");
    if modified(&image) < modified(&program) {
        let root = TempDir::new().unwrap();
        for directory in ["dev", "proc", "sbin", "sys"] {
            fs::create_dir(root.path().join(directory)).unwrap();
        }
        fs::copy(&program, root.path().join("sbin/vminitd")).unwrap();
        let new = target.join("init.erofs.new");
        let output = Command::new("mkfs.erofs")
            .arg(&new)
            .arg(root.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "mkfs.erofs: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        fs::rename(new, &image).unwrap();
    }
    image
}

/// A directory for one machine's files, and the machine's configuration.
pub(crate) struct Bench {
    pub(crate) directory: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self {
            directory: TempDir::new().unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A sparse image.
    pub(crate) fn image(&self, name: &str, size: u64) -> PathBuf {
        let path = self.path(name);
        File::create(&path).unwrap().set_len(size).unwrap();
        path
    }

    pub(crate) fn config(&self) -> VmConfig {
        let mut config = VmConfig::new("test", kernel(), self.path("boot.log"));
        config.memory = 256 << 20;
        config.disks.push(Disk::read_only(init_disk(), "init"));
        config
    }

    pub(crate) fn boot_log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.path("boot.log")).unwrap()).into_owned()
    }
}

pub(crate) fn create(config: VmConfig) -> Box<dyn VirtualMachine> {
    platform::Hypervisor::new().create(config).unwrap()
}

pub(crate) async fn boot(config: VmConfig) -> Box<dyn VirtualMachine> {
    let machine = create(config);
    machine.start().await.unwrap();
    machine
}

pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("nothing happened")
}

/// Sends the guest a command.
pub(crate) async fn command(machine: &dyn VirtualMachine, line: &str) -> Connection {
    let mut connection = soon(machine.connect(AGENT_PORT)).await.unwrap();
    connection
        .write_all(format!("{line}\n").as_bytes())
        .await
        .unwrap();
    connection
}

/// Sends the guest a command and reads its whole answer.
pub(crate) async fn ask(machine: &dyn VirtualMachine, line: &str) -> String {
    let mut connection = command(machine, line).await;
    let mut answer = String::new();
    soon(connection.read_to_string(&mut answer)).await.unwrap();
    answer
}

/// Processes that run QEMU and were started by this one.
pub(crate) fn qemu_children() -> Vec<u32> {
    let me = std::process::id().to_string();
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let (head, tail) = stat.rsplit_once(") ").unwrap_or_default();
            head.contains("(qemu-system") && tail.split(' ').nth(1) == Some(&me)
        })
        .collect()
}

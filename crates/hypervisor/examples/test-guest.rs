//! Process 1 of the guests that `tests/` boots: does what a line on port 1024 says, and answers on the same stream.

#[cfg(target_os = "linux")]
mod guest {
    use std::error::Error;
    use std::fs::{self, OpenOptions};
    use std::io;
    use std::mem::zeroed;
    use std::net::Ipv4Addr;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::FileExt;

    use container_mux::{Mux, Side, Stream};
    use rustix::mount::{MountFlags, mount};
    use rustix::system::RebootCommand;
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpStream;

    type Result<T> = std::result::Result<T, Box<dyn Error>>;

    pub(crate) fn main() -> Result<()> {
        for (kind, target) in [("proc", "/proc"), ("sysfs", "/sys")] {
            mount(kind, target, kind, MountFlags::empty(), None)?;
        }
        println!("test guest: up after {} s", uptime()?);
        if fs::read_to_string("/proc/cmdline")?.contains("test.silent") {
            std::thread::park();
        }
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(serve())
    }

    fn uptime() -> io::Result<String> {
        let text = fs::read_to_string("/proc/uptime")?;
        Ok(text.split(' ').next().unwrap_or_default().to_owned())
    }

    async fn serve() -> Result<()> {
        let mux = Mux::new(
            container_mux::guest::open_port("container.agent").await?,
            Side::Guest,
        );
        let mut listener = mux.listen(1024)?;
        loop {
            let stream = listener.accept().await?;
            let mux = mux.clone();
            tokio::spawn(async move {
                if let Err(error) = answer(stream, mux).await {
                    println!("test guest: {error}");
                }
            });
        }
    }

    async fn answer(stream: Stream, mux: Mux) -> Result<()> {
        let mut stream = BufReader::with_capacity(64 * 1024, stream);
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            ["echo"] => {
                let (mut read, mut write) = tokio::io::split(&mut stream);
                tokio::io::copy_buf(&mut BufReader::with_capacity(64 * 1024, &mut read), &mut write).await?;
            }
            ["sink"] => {
                let amount = tokio::io::copy_buf(&mut stream, &mut tokio::io::sink()).await?;
                stream.write_all(amount.to_string().as_bytes()).await?;
            }
            ["source", amount] => {
                let block = vec![0x5a; 64 * 1024];
                let mut left: usize = amount.parse()?;
                while left > 0 {
                    let length = left.min(block.len());
                    stream.write_all(&block[..length]).await?;
                    left -= length;
                }
            }
            ["touch", amount] => {
                let mut memory = vec![0_u8; amount.parse()?];
                memory.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
                stream.write_all(b"touched").await?;
                stream.flush().await?;
                // Held until the host has looked.
                stream.read_u8().await.ok();
                drop(memory);
            }
            ["call", port] => {
                let mut call = mux.connect(port.parse()?).await?;
                call.write_all(b"hello from the guest").await?;
                call.shutdown().await?;
            }
            ["fetch", port] => {
                let text = match fetch(port.parse()?).await {
                    Ok(text) => text,
                    Err(error) => format!("failed: {error}"),
                };
                stream.write_all(text.as_bytes()).await?;
            }
            ["poweroff"] => rustix::system::reboot(RebootCommand::PowerOff)?,
            ["reboot"] => rustix::system::reboot(RebootCommand::Restart)?,
            ["panic"] => std::process::exit(3),
            ["report"] => stream.write_all(report().as_bytes()).await?,
            ["write", disk] => {
                let text =
                    write(disk).map_or_else(|error| format!("failed: {error}"), |()| "written".to_owned());
                stream.write_all(text.as_bytes()).await?;
            }
            _ => stream.write_all(b"what?").await?,
        }
        stream.shutdown().await?;
        Ok(())
    }

    /// What the guest sees of its machine, `key=value` a line.
    fn report() -> String {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let mut lines = vec![
            format!("cmdline={}", read("/proc/cmdline")),
            format!(
                "cpus={}",
                std::thread::available_parallelism().map_or(0, usize::from)
            ),
            format!(
                "memory={}",
                read("/proc/meminfo").lines().next().unwrap_or_default()
            ),
            format!(
                "clocksource={}",
                read("/sys/devices/system/clocksource/clocksource0/current_clocksource")
            ),
            format!("entropy={}", read("/sys/class/misc/hw_random/rng_current")),
            format!("uptime={}", read("/proc/uptime")),
        ];
        for disk in ["vda", "vdb", "vdc", "vdd"] {
            let of = |file: &str| read(&format!("/sys/block/{disk}/{file}"));
            lines.push(format!(
                "{disk}={} {} {} {}",
                of("serial"),
                of("size"),
                of("ro"),
                of("queue/discard_max_bytes") != "0"
            ));
        }
        for nic in ["eth0", "eth1"] {
            lines.push(format!(
                "{nic}={}",
                read(&format!("/sys/class/net/{nic}/address"))
            ));
        }
        lines.join("\n")
    }

    fn write(disk: &str) -> io::Result<()> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(format!("/dev/{disk}"))?;
        let pattern: Vec<u8> = (0..1 << 20).map(|at: u32| ((at * 7) >> 4) as u8).collect();
        file.write_all_at(&pattern, 4096)?;
        file.sync_all()
    }

    /// Reads what the host's own network serves on a port.
    async fn fetch(port: u16) -> Result<String> {
        configure(
            "eth0",
            Ipv4Addr::new(10, 0, 2, 15),
            Ipv4Addr::new(255, 255, 255, 0),
        )?;
        let mut text = String::new();
        TcpStream::connect((Ipv4Addr::new(10, 0, 2, 2), port))
            .await?
            .read_to_string(&mut text)
            .await?;
        Ok(text)
    }

    fn configure(name: &str, address: Ipv4Addr, mask: Ipv4Addr) -> io::Result<()> {
        let socket = rustix::net::socket(
            rustix::net::AddressFamily::INET,
            rustix::net::SocketType::DGRAM,
            None,
        )?;
        // SAFETY: an all-zero interface request is a valid one.
        let mut request: libc::ifreq = unsafe { zeroed() };
        for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
            *to = from as libc::c_char;
        }
        let mut set = |what, address: Ipv4Addr| {
            let mut bytes = [0; 16];
            bytes[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
            bytes[4..8].copy_from_slice(&address.octets());
            // SAFETY: both are the sixteen bytes of a `sockaddr_in`.
            request.ifr_ifru.ifru_addr = unsafe { std::mem::transmute::<[u8; 16], libc::sockaddr>(bytes) };
            call(socket.as_raw_fd(), what, &mut request)
        };
        set(libc::SIOCSIFADDR, address)?;
        set(libc::SIOCSIFNETMASK, mask)?;
        request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
        call(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &mut request)
    }

    fn call(socket: i32, what: libc::Ioctl, request: &mut libc::ifreq) -> io::Result<()> {
        // SAFETY: these requests read and write an `ifreq`, which this is.
        match unsafe { libc::ioctl(socket, what, request) } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    #[cfg(target_os = "linux")]
    guest::main()?;
    Ok(())
}

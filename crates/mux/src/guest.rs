//! The guest's end of the link: a virtio-serial port of Linux.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::fs::OFlags;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, netlink};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::frame::Frame;

const PORTS: &str = "/sys/class/virtio-ports";

/// The group of the kernel's own device events; udev's are in group 2.
const KERNEL_EVENTS: u32 = 1;

/// An open virtio-serial port.
#[derive(Debug)]
pub struct Port(AsyncFd<File>);

/// Opens the virtio-serial port that the host gave this name, as [`Mux::new`](crate::Mux::new) takes it.
///
/// Waits until the kernel has found the port, and until the host is connected to its other end. `/sys` and
/// `/dev` (a devtmpfs) must be mounted.
///
/// # Errors
/// The port cannot be opened: `ResourceBusy` when somebody has it open already.
pub async fn open_port(name: &str) -> io::Result<Port> {
    let name = name.to_owned();
    let file = tokio::task::spawn_blocking(move || open_blocking(&name))
        .await
        .map_err(io::Error::other)??;
    // SAFETY: nothing takes the descriptor out of the `Port`, so it stays open until the registration ends.
    let port = unsafe { AsyncFd::register(file) }?;
    Ok(Port(port))
}

fn open_blocking(name: &str) -> io::Result<File> {
    let device = wait_for(Path::new(PORTS), name)?;
    let mut file = OpenOptions::new().read(true).write(true).open(device)?;
    // While the host is not connected, the port reports a hang-up, which epoll never takes back. A blocking
    // write is the one operation that waits for the host.
    let mut pad = Vec::new();
    Frame::Pad.encode(&mut pad);
    file.write_all(&pad)?;
    let flags = rustix::fs::fcntl_getfl(&file)?;
    rustix::fs::fcntl_setfl(&file, flags | OFlags::NONBLOCK)?;
    Ok(file)
}

fn wait_for(ports: &Path, name: &str) -> io::Result<PathBuf> {
    if let Some(device) = find(ports, name) {
        return Ok(device);
    }
    // Subscribed before looking again, so that no event is missed.
    let events = device_events()?;
    loop {
        if let Some(device) = find(ports, name) {
            return Ok(device);
        }
        let mut event = [0; 8192];
        match rustix::net::recv(&events, &mut event, RecvFlags::empty()) {
            // Events were lost: looking again is all that an event leads to.
            Ok(_) | Err(rustix::io::Errno::NOBUFS | rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn find(ports: &Path, name: &str) -> Option<PathBuf> {
    fs::read_dir(ports).ok()?.flatten().find_map(|entry| {
        let found = fs::read_to_string(entry.path().join("name")).ok()?;
        (found.trim_end() == name).then(|| Path::new("/dev").join(entry.file_name()))
    })
}

fn device_events() -> io::Result<OwnedFd> {
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(netlink::KOBJECT_UEVENT),
    )?;
    rustix::net::bind(&socket, &netlink::SocketAddrNetlink::new(0, KERNEL_EVENTS))?;
    Ok(socket)
}

impl AsyncRead for Port {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.0.poll_read_ready(cx))?;
            let space = out.initialize_unfilled();
            if let Ok(result) = guard.try_io(|file| file.get_ref().read(space)) {
                out.advance(result?);
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for Port {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.0.poll_write_ready(cx))?;
            if let Ok(result) = guard.try_io(|file| file.get_ref().write(bytes)) {
                return Poll::Ready(result);
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_found_by_the_name_the_host_gave_it() {
        let ports = std::env::temp_dir().join(format!("container-mux-ports-{}", std::process::id()));
        for (device, name) in [
            ("vport0p0", None),
            ("vport0p1", Some("other\n")),
            ("vport1p2", Some("container.agent\n")),
        ] {
            fs::create_dir_all(ports.join(device)).unwrap();
            if let Some(name) = name {
                fs::write(ports.join(device).join("name"), name).unwrap();
            }
        }
        assert_eq!(find(&ports, "container.agent"), Some("/dev/vport1p2".into()));
        assert_eq!(find(&ports, "container"), None);
        assert_eq!(find(&ports.join("absent"), "container.agent"), None);
        fs::remove_dir_all(&ports).unwrap();
    }

    #[test]
    fn device_events_can_be_subscribed_to() {
        device_events().unwrap();
    }
}

//! Sockets between a virtual machine and its host.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use libc::{c_int, sockaddr_vm, socklen_t};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::net::{SendFlags, Shutdown};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::readiness::watch;

/// `_IO(7, 0xb9)`: the address of this machine.
const IOCTL_VM_SOCKETS_GET_LOCAL_CID: libc::c_ulong = 0x07b9;

/// Connections that wait to be accepted.
const BACKLOG: c_int = 128;

/// Whether this machine has a device for sockets to its host. The kernel's `/dev/vsock` alone does not say:
/// it is there without a device too.
pub(super) fn is_available() -> bool {
    let Ok(device) = rustix::fs::openat(CWD, "/dev/vsock", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
    else {
        return false;
    };
    let mut cid: libc::c_uint = libc::VMADDR_CID_ANY;
    // SAFETY: the call writes one unsigned integer.
    let result = unsafe {
        libc::ioctl(
            device.as_raw_fd(),
            IOCTL_VM_SOCKETS_GET_LOCAL_CID as _,
            &raw mut cid,
        )
    };
    result == 0 && cid > libc::VMADDR_CID_HOST && cid != libc::VMADDR_CID_ANY
}

fn address(cid: u32, port: u32) -> sockaddr_vm {
    // SAFETY: a plain structure of integers, for which zero is valid.
    let mut address: sockaddr_vm = unsafe { std::mem::zeroed() };
    address.svm_family = libc::AF_VSOCK as libc::sa_family_t;
    address.svm_cid = cid;
    address.svm_port = port;
    address
}

const ADDRESS_SIZE: socklen_t = size_of::<sockaddr_vm>() as socklen_t;

fn socket() -> io::Result<OwnedFd> {
    // SAFETY: takes no pointers.
    let fd = unsafe {
        libc::socket(
            libc::AF_VSOCK,
            libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK,
            0,
        )
    };
    owned(fd)
}

fn owned(fd: c_int) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn check(result: c_int) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Accepts connections on one port.
#[derive(Debug)]
pub struct Listener(AsyncFd<OwnedFd>);

impl Listener {
    /// Listens on a port for every peer.
    pub(super) fn bind(port: u32) -> io::Result<Self> {
        let socket = socket()?;
        let address = address(libc::VMADDR_CID_ANY, port);
        // SAFETY: the address is of the size that is given.
        check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), ADDRESS_SIZE) })?;
        // SAFETY: takes no pointers.
        check(unsafe { libc::listen(socket.as_raw_fd(), BACKLOG) })?;
        Ok(Self(watch(socket)?))
    }

    /// The next connection.
    pub(super) async fn accept(&self) -> io::Result<Stream> {
        loop {
            let mut ready = self.0.readable().await?;
            let accept = |socket: &AsyncFd<OwnedFd>| {
                let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
                let (mut peer, mut size) = (address(0, 0), ADDRESS_SIZE);
                // SAFETY: the address is of the size that is given.
                let accepted = owned(unsafe {
                    libc::accept4(socket.as_raw_fd(), (&raw mut peer).cast(), &raw mut size, flags)
                })?;
                Ok((peer.svm_cid, accepted))
            };
            match ready.try_io(accept) {
                Ok(Err(error)) if error.raw_os_error() == Some(libc::ECONNABORTED) => {}
                Ok(Err(error)) => return Err(error),
                // The agent obeys its host. A process of the guest can have a socket, too.
                Ok(Ok((libc::VMADDR_CID_HOST, accepted))) => return Ok(Stream(watch(accepted)?)),
                Ok(Ok(_)) => {}
                Err(_) => {}
            }
        }
    }
}

/// One connection.
#[derive(Debug)]
pub struct Stream(AsyncFd<OwnedFd>);

impl Stream {
    /// Connects to a port of a peer.
    pub(super) async fn connect(cid: u32, port: u32) -> io::Result<Self> {
        let socket = watch(socket()?)?;
        let address = address(cid, port);
        // SAFETY: the address is of the size that is given.
        let result =
            check(unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), ADDRESS_SIZE) });
        match result {
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {
                drop(socket.writable().await?);
                rustix::net::sockopt::socket_error(&socket)??;
            }
            result => result?,
        }
        Ok(Self(socket))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.0.poll_read_ready(cx))?;
            let space = buffer.initialize_unfilled();
            if let Ok(result) = guard.try_io(|socket| Ok(rustix::io::read(socket, space)?)) {
                buffer.advance(result?);
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.0.poll_write_ready(cx))?;
            let send = |socket: &AsyncFd<OwnedFd>| Ok(rustix::net::send(socket, bytes, SendFlags::NOSIGNAL)?);
            if let Ok(result) = guard.try_io(send) {
                return Poll::Ready(result);
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match rustix::net::shutdown(&self.0, Shutdown::Write) {
            // The peer was faster.
            Ok(()) | Err(rustix::io::Errno::NOTCONN) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(error.into())),
        }
    }
}

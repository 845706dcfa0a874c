use std::cell::Cell;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::pin::Pin;
use std::task::{Context, Poll};

use block2::RcBlock;
use dispatch2::{DispatchQueue, DispatchRetained};
use objc2::rc::Retained;
use objc2_foundation::NSError;
use objc2_virtualization::{
    VZSocketDeviceConfiguration, VZVirtioSocketConnection, VZVirtioSocketDevice,
    VZVirtioSocketDeviceConfiguration, VZVirtualMachine,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::sync::oneshot;

use super::ns_error;
use super::queue::Confined;
use crate::Connection;

/// The device that connects ports of host and guest.
pub(super) fn socket() -> Retained<VZSocketDeviceConfiguration> {
    // SAFETY: a new object.
    Retained::into_super(unsafe { VZVirtioSocketDeviceConfiguration::new() })
}

/// The socket device of a machine. To be called on the machine's queue.
pub(super) fn device(machine: &VZVirtualMachine) -> Option<Retained<VZVirtioSocketDevice>> {
    // SAFETY: the caller is on the machine's queue.
    let devices = unsafe { machine.socketDevices() };
    devices.firstObject()?.downcast().ok()
}

/// Asks for a connection to a port of the guest. To be called on the machine's queue, where the answer comes from, too.
pub(super) fn connect(
    device: &VZVirtioSocketDevice,
    queue: &DispatchRetained<DispatchQueue>,
    port: u32,
    answer: oneshot::Sender<io::Result<Link>>,
) {
    let (queue, answer) = (queue.clone(), Cell::new(Some(answer)));
    let done = RcBlock::new(
        move |connection: *mut VZVirtioSocketConnection, error: *mut NSError| {
            // SAFETY: nil, or an object that lives at least as long as this call.
            let result = match unsafe { (Retained::retain(connection), error.as_ref()) } {
                (Some(connection), _) => Link::new(&queue, connection),
                (None, Some(error)) => Err(io::Error::other(ns_error::refusal(error))),
                (None, None) => Err(io::ErrorKind::ConnectionRefused.into()),
            };
            if let Some(answer) = answer.take() {
                // Nobody waits any more: dropping the link ends the connection.
                drop(answer.send(result));
            }
        },
    );
    // SAFETY: the caller is on the machine's queue. The device copies the block, which only that queue calls.
    unsafe { device.connectToPort_completionHandler(port, &done) };
}

/// A connection that may leave the machine's queue.
///
/// The descriptor is a copy of the connection's own, so that each is closed once and by its owner. The framework ends
/// the connection with its object, whatever copies there are: so the object is kept for as long as the descriptor is used.
#[derive(Debug)]
pub(super) struct Link {
    descriptor: OwnedFd,
    connection: Confined<Retained<VZVirtioSocketConnection>>,
}

impl Link {
    /// To be called on the machine's queue.
    pub(super) fn new(
        queue: &DispatchRetained<DispatchQueue>,
        connection: Retained<VZVirtioSocketConnection>,
    ) -> io::Result<Self> {
        // SAFETY: the caller is on the machine's queue.
        let number = unsafe { connection.fileDescriptor() };
        if number < 0 {
            return Err(io::ErrorKind::NotConnected.into());
        }
        // SAFETY: the connection owns the descriptor and lives longer than this borrow.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) }.try_clone_to_owned()?;
        Ok(Self {
            descriptor,
            // SAFETY: the caller is on the machine's queue, which is serial. The framework has just handed the
            // connection over, on that queue, and uses it nowhere else.
            connection: unsafe { Confined::adopt(queue.clone(), connection) },
        })
    }

    /// The connection as a byte stream: its descriptor is that of a local stream socket to the framework.
    pub(super) fn into_stream(self) -> io::Result<Connection> {
        let stream = StdUnixStream::from(self.descriptor);
        stream.set_nonblocking(true)?;
        Ok(Box::new(Stream {
            stream: UnixStream::from_std(stream)?,
            _connection: self.connection,
        }))
    }
}

/// A byte stream, and the connection that it belongs to.
#[derive(Debug)]
struct Stream {
    stream: UnixStream,
    _connection: Confined<Retained<VZVirtioSocketConnection>>,
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;

use block2::RcBlock;
use objc2::rc::Retained;
use objc2_foundation::NSError;
use objc2_virtualization::{
    VZSocketDeviceConfiguration, VZVirtioSocketConnection, VZVirtioSocketDevice,
    VZVirtioSocketDeviceConfiguration, VZVirtualMachine,
};
use tokio::net::UnixStream;
use tokio::sync::oneshot;

use super::ns_error;
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
    port: u32,
    answer: oneshot::Sender<io::Result<OwnedFd>>,
) {
    let answer = std::cell::Cell::new(Some(answer));
    let done = RcBlock::new(
        move |connection: *mut VZVirtioSocketConnection, error: *mut NSError| {
            // SAFETY: each is nil or an object that lives at least as long as this call.
            let result = match unsafe { (connection.as_ref(), error.as_ref()) } {
                (Some(connection), _) => descriptor(connection),
                (None, Some(error)) => Err(io::Error::other(ns_error::refusal(error))),
                (None, None) => Err(io::ErrorKind::ConnectionRefused.into()),
            };
            if let Some(answer) = answer.take() {
                // Nobody waits any more: dropping the descriptor closes the connection.
                drop(answer.send(result));
            }
        },
    );
    // SAFETY: the caller is on the machine's queue. The device copies the block, which only that queue calls.
    unsafe { device.connectToPort_completionHandler(port, &done) };
}

/// The connection as a descriptor of our own; the framework's is closed. To be called on the machine's queue.
pub(super) fn descriptor(connection: &VZVirtioSocketConnection) -> io::Result<OwnedFd> {
    // SAFETY: the caller is on the machine's queue.
    let number = unsafe { connection.fileDescriptor() };
    if number < 0 {
        return Err(io::ErrorKind::NotConnected.into());
    }
    // SAFETY: the connection owns the descriptor and is closed only below.
    let copy = unsafe { BorrowedFd::borrow_raw(number) }.try_clone_to_owned();
    // SAFETY: the caller is on the machine's queue. The copy keeps the stream open.
    unsafe { connection.close() };
    copy
}

/// A byte stream on a connection's descriptor, which is a local stream socket to the framework.
pub(super) fn stream(descriptor: OwnedFd) -> io::Result<Connection> {
    let stream = StdUnixStream::from(descriptor);
    stream.set_nonblocking(true)?;
    Ok(Box::new(UnixStream::from_std(stream)?))
}

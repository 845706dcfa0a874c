//! One interface: frames between vmnet and a virtual machine's socket.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use block2::RcBlock;
use dispatch2::{DispatchQueue, DispatchQueueAttr, DispatchRetained};
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};
use rustix::net::{AddressFamily, SendFlags, Shutdown, SocketFlags, SocketType, send, shutdown, socketpair};

use super::Network;
use super::functions::{
    Functions, Object, PACKETS_AVAILABLE, Packet, SUCCESS, xpc_dictionary_create, xpc_dictionary_get_uint64,
    xpc_dictionary_set_bool, xpc_dictionary_set_uint64, xpc_release,
};
use crate::error::Error;
use crate::interfaces::Interface;

/// How long vmnet may take to start or stop an interface.
const ANSWER: Duration = Duration::from_secs(10);
/// How many frames are read at once.
const BATCH: usize = 64;
/// Room in the sockets, in bytes. Virtualization.framework wants to receive at least twice as much as it sends.
const BUFFERS: (usize, usize) = (1 << 20, 4 << 20);

/// An interface of vmnet.
#[derive(Clone, Copy, Debug)]
struct Raw(NonNull<std::ffi::c_void>);

// SAFETY: vmnet's functions may be called by any thread.
unsafe impl Send for Raw {}

/// Frames that go to and fro until this is dropped.
#[derive(Debug)]
pub(super) struct Frames {
    network: Arc<Network>,
    interface: Raw,
    queue: DispatchRetained<DispatchQueue>,
    socket: Arc<OwnedFd>,
    writer: Option<JoinHandle<()>>,
}

impl Interface for Frames {}

impl Frames {
    /// Starts an interface; the socket is for the virtual machine.
    pub(super) fn start(network: &Arc<Network>, mtu: Option<u32>) -> Result<(OwnedFd, Self), Error> {
        let system = |what| move |error: rustix::io::Errno| Error::System(what, error.into());
        let pair = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::empty(), None);
        let (ours, theirs) = pair.map_err(system("failed to make sockets"))?;
        for socket in [&ours, &theirs] {
            set_socket_send_buffer_size(socket, BUFFERS.0).map_err(system("failed to size a socket"))?;
            set_socket_recv_buffer_size(socket, BUFFERS.1).map_err(system("failed to size a socket"))?;
            rustix::io::fcntl_setfd(socket, rustix::io::FdFlags::CLOEXEC)
                .map_err(system("failed to keep a socket"))?;
        }
        let queue = DispatchQueue::new("dev.container.network", DispatchQueueAttr::SERIAL);
        let (interface, size) = start(network, mtu, &queue)?;
        let functions = network.functions;
        let mut frames = Self {
            network: Arc::clone(network),
            interface,
            queue,
            socket: Arc::new(ours),
            writer: None,
        };
        let socket = Arc::clone(&frames.socket);
        let arrived = RcBlock::new(move |_: u32, _: Object| to_machine(&functions, interface, &socket, size));
        // SAFETY: an interface that runs and a queue that lives. The block is copied, called on the serial queue alone,
        // and captures what may change threads: functions, an interface, and a socket.
        let status = unsafe {
            (functions.interface_set_event_callback)(
                interface.0.as_ptr(),
                PACKETS_AVAILABLE,
                Some(&frames.queue),
                Some(&arrived),
            )
        };
        if status != SUCCESS {
            return Err(Error::Vmnet("watch an interface", status));
        }
        let socket = Arc::clone(&frames.socket);
        let writer = std::thread::Builder::new().name("frames".into());
        let writer = writer.spawn(move || from_machine(&functions, interface, &socket, size));
        frames.writer = Some(writer.map_err(|error| Error::System("failed to start a thread", error))?);
        Ok((theirs, frames))
    }
}

/// Starts an interface; gives it and the size of the largest frame.
fn start(network: &Network, mtu: Option<u32>, queue: &DispatchQueue) -> Result<(Raw, usize), Error> {
    let functions = network.functions;
    let (sender, started) = mpsc::channel();
    let done = RcBlock::new(move |status: u32, parameters: Object| {
        let size = match NonNull::new(parameters) {
            // SAFETY: a dictionary that lives during the call, and a C string.
            Some(parameters) => unsafe {
                xpc_dictionary_get_uint64(parameters.as_ptr(), functions.max_packet_size)
            },
            None => 0,
        };
        // Nobody waits any more after the deadline.
        let _ = sender.send((status, size));
    });
    // SAFETY: a new dictionary, which is ours and released here; a network that lives and a queue that lives. The block
    // is copied and called once.
    let interface = unsafe {
        let description = xpc_dictionary_create(ptr::null(), ptr::null(), 0);
        // The virtual machine has its own.
        xpc_dictionary_set_bool(description, functions.allocate_mac_address, false);
        if let Some(mtu) = mtu {
            xpc_dictionary_set_uint64(description, functions.mtu, mtu.into());
        }
        let interface = (functions.interface_start)(network.network.as_ptr(), description, queue, &done);
        xpc_release(description);
        interface
    };
    let interface = NonNull::new(interface).ok_or(Error::Vmnet("create an interface", 0))?;
    match started.recv_timeout(ANSWER) {
        Ok((SUCCESS, size)) => Ok((Raw(interface), usize::try_from(size).unwrap_or(0).max(1514))),
        Ok((status, _)) => Err(Error::Vmnet("start an interface", status)),
        Err(_) => Err(Error::System(
            "vmnet does not start an interface",
            io::ErrorKind::TimedOut.into(),
        )),
    }
}

/// Passes on what vmnet has for the machine. A machine that does not keep up loses frames, as on any network.
fn to_machine(functions: &Functions, interface: Raw, socket: &OwnedFd, size: usize) {
    let mut frames = vec![vec![0_u8; size]; BATCH];
    loop {
        let mut parts: Vec<libc::iovec> = frames.iter_mut().map(|frame| part(frame)).collect();
        let mut packets: Vec<Packet> = parts.iter_mut().map(|part| packet(part, size)).collect();
        let Ok(mut count) = c_int::try_from(packets.len()) else {
            return;
        };
        // SAFETY: an interface that runs, and as many packets as `count` says, with their parts, all of which live
        // longer than the call.
        let status = unsafe { (functions.read)(interface.0.as_ptr(), packets.as_mut_ptr(), &raw mut count) };
        let count = usize::try_from(count).unwrap_or(0);
        if status != SUCCESS || count == 0 {
            return;
        }
        for (packet, frame) in packets.iter().zip(&frames).take(count) {
            let frame = frame.get(..packet.size).unwrap_or(frame);
            let _ = send(socket, frame, SendFlags::DONTWAIT);
        }
    }
}

/// Passes on what the machine sends, until the socket is shut down or the machine is gone.
fn from_machine(functions: &Functions, interface: Raw, socket: &OwnedFd, size: usize) {
    let mut frame = vec![0_u8; size];
    loop {
        // SAFETY: an open socket, and room of that length.
        let length = unsafe {
            libc::recv(
                socket.as_fd().as_raw_fd(),
                frame.as_mut_ptr().cast(),
                frame.len(),
                0,
            )
        };
        let length = match usize::try_from(length) {
            Ok(0) => return,
            Ok(length) => length,
            Err(_) if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        let mut part = part(&mut frame[..length]);
        let mut packet = packet(&mut part, length);
        let mut count = 1;
        // SAFETY: an interface that runs, and one packet with one part, which live longer than the call.
        let status = unsafe { (functions.write)(interface.0.as_ptr(), &raw mut packet, &raw mut count) };
        if status != SUCCESS {
            tracing::debug!(status, "vmnet did not take a frame");
        }
    }
}

fn part(bytes: &mut [u8]) -> libc::iovec {
    libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    }
}

fn packet(part: &mut libc::iovec, size: usize) -> Packet {
    Packet {
        size,
        parts: part,
        count: 1,
        flags: 0,
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        let (functions, interface) = (self.network.functions, self.interface.0.as_ptr());
        // SAFETY: an interface that runs; nothing is called back from now on.
        unsafe { (functions.interface_set_event_callback)(interface, PACKETS_AVAILABLE, None, None) };
        let _ = shutdown(&*self.socket, Shutdown::Both);
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
        let (sender, stopped) = mpsc::channel();
        let done = RcBlock::new(move |status: u32| {
            // Nobody waits any more after the deadline.
            let _ = sender.send(status);
        });
        // SAFETY: an interface that runs, which nothing uses any more; a queue that lives. The block is copied and
        // called once.
        let status = unsafe { (functions.stop)(interface, &self.queue, &done) };
        if status != SUCCESS || stopped.recv_timeout(ANSWER) != Ok(SUCCESS) {
            tracing::warn!(status, "vmnet did not stop an interface");
        }
    }
}

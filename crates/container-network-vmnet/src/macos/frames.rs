//! One interface: frames between vmnet and a virtual machine's socket.

use std::cell::Cell;
use std::ffi::c_int;
use std::io;
use std::os::fd::OwnedFd;
use std::ptr::{self, NonNull};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use block2::RcBlock;
use dispatch2::{DispatchQueue, DispatchQueueAttr, DispatchRetained};
use rustix::net::{SendFlags, send};

use super::Network;
use super::functions::{
    Functions, Object, PACKETS_AVAILABLE, Packet, SUCCESS, xpc_dictionary_create, xpc_dictionary_get_uint64,
    xpc_dictionary_set_bool, xpc_release,
};
use crate::error::Error;
use crate::interfaces::Interface;
use crate::reader::Reader;

/// How long vmnet may take to start or stop an interface.
const ANSWER: Duration = Duration::from_secs(10);
/// How many frames are read at once.
const BATCH: usize = 64;

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
    reader: Option<Reader>,
}

impl Interface for Frames {}

impl Frames {
    /// Starts an interface whose frames go through `socket`.
    pub(super) fn start(network: &Arc<Network>, socket: OwnedFd) -> Result<Self, Error> {
        let queue = DispatchQueue::new("dev.container.network", DispatchQueueAttr::SERIAL);
        let (interface, size) = start(network, &queue)?;
        let functions = network.functions;
        let socket = Arc::new(socket);
        let mut frames = Self {
            network: Arc::clone(network),
            interface,
            queue,
            reader: None,
        };
        let out = Arc::clone(&socket);
        let buffers = Cell::new(vec![vec![0_u8; size]; BATCH]);
        let arrived = RcBlock::new(move |_: u32, _: Object| {
            // The queue is serial, so they are always there.
            let mut taken = buffers.take();
            to_machine(&functions, interface, &out, &mut taken);
            buffers.set(taken);
        });
        // SAFETY: an interface that runs and a queue that lives. The block is copied, called on the serial queue alone,
        // and captures what may change threads: functions, an interface, a socket, and memory.
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
        let reader = Reader::start(socket, size, move |frame| {
            to_network(&functions, interface, frame);
        });
        frames.reader = Some(reader.map_err(|error| Error::System("failed to start a thread", error))?);
        Ok(frames)
    }
}

/// Starts an interface; gives it and the size of the largest frame.
fn start(network: &Network, queue: &DispatchQueue) -> Result<(Raw, usize), Error> {
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
fn to_machine(functions: &Functions, interface: Raw, socket: &OwnedFd, frames: &mut [Vec<u8>]) {
    loop {
        let mut parts: Vec<libc::iovec> = frames.iter_mut().map(|frame| part(frame)).collect();
        let mut packets: Vec<Packet> = parts.iter_mut().map(packet).collect();
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
        for (packet, frame) in packets.iter().zip(&*frames).take(count) {
            let frame = frame.get(..packet.size).unwrap_or(frame);
            let _ = send(socket, frame, SendFlags::DONTWAIT);
        }
    }
}

/// Passes on a frame of the machine's.
fn to_network(functions: &Functions, interface: Raw, frame: &mut [u8]) {
    let mut part = part(frame);
    let mut packet = packet(&mut part);
    let mut count = 1;
    // SAFETY: an interface that runs, and one packet with one part, which live longer than the call.
    let status = unsafe { (functions.write)(interface.0.as_ptr(), &raw mut packet, &raw mut count) };
    if status != SUCCESS {
        tracing::debug!(status, "vmnet did not take a frame");
    }
}

fn part(bytes: &mut [u8]) -> libc::iovec {
    libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    }
}

fn packet(part: &mut libc::iovec) -> Packet {
    Packet {
        size: part.iov_len,
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
        drop(self.reader.take());
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

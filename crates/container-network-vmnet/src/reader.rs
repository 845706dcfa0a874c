//! A thread that receives a virtual machine's frames.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

/// A thread that receives frames, until this is dropped.
///
/// The socket is left as it is then. Shutting it down would end the thread, too, but for everybody who has the socket;
/// and macOS refuses to once the peer is gone, so that the thread would wait for ever.
#[derive(Debug)]
pub(crate) struct Reader {
    /// Closed to end the thread.
    stop: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    /// Calls `take` with every frame of at most `size` bytes that comes out of `socket`.
    ///
    /// # Errors
    /// The process has too many descriptors or threads.
    pub(crate) fn start(
        socket: impl AsFd + Send + 'static,
        size: usize,
        take: impl FnMut(&mut [u8]) + Send + 'static,
    ) -> io::Result<Self> {
        let (stopped, stop) = io::pipe()?;
        let thread = std::thread::Builder::new().name("frames".into());
        let thread = thread.spawn(move || {
            if let Err(error) = read(&socket, &stopped, size, take) {
                tracing::warn!(error = %io::Error::from(error), "a virtual machine's frames cannot be read any more");
            }
        })?;
        Ok(Self {
            stop: Some(stop.into()),
            thread: Some(thread),
        })
    }
}

fn read(
    socket: impl AsFd,
    stopped: impl AsFd,
    size: usize,
    mut take: impl FnMut(&mut [u8]),
) -> rustix::io::Result<()> {
    let mut frame = vec![0_u8; size];
    loop {
        let mut wanted = [
            PollFd::new(&socket, PollFlags::IN),
            PollFd::new(&stopped, PollFlags::IN),
        ];
        match poll(&mut wanted, None) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error),
        }
        if !wanted[1].revents().is_empty() {
            return Ok(());
        }
        // The machine is gone.
        if !wanted[0].revents().contains(PollFlags::IN) {
            return Ok(());
        }
        loop {
            match recv(&socket, &mut frame[..], RecvFlags::DONTWAIT) {
                // No frame is empty: nothing more comes.
                Ok((0, _)) => return Ok(()),
                Ok((length, _)) => take(&mut frame[..length]),
                Err(Errno::INTR) => {}
                // The peer was closed, which is told once.
                Err(Errno::AGAIN | Errno::CONNRESET) => break,
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It cannot have panicked but in `take`, which said so then.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use rustix::net::{SendFlags, send};

    use super::*;
    use crate::sockets::pair;

    #[test]
    fn frames_arrive_until_the_reader_is_dropped_whatever_becomes_of_the_peer() {
        for peer_goes_first in [false, true] {
            let (ours, theirs) = pair().unwrap();
            let kept = ours.try_clone().unwrap();
            let (sender, frames) = mpsc::channel();
            let reader = Reader::start(ours, 64, move |frame| sender.send(frame.to_vec()).unwrap()).unwrap();
            for frame in [b"one".as_slice(), b"another"] {
                send(&theirs, frame, SendFlags::empty()).unwrap();
                assert_eq!(frames.recv_timeout(Duration::from_secs(10)).unwrap(), frame);
            }
            if peer_goes_first {
                drop(theirs);
                drop(reader);
            } else {
                drop(reader);
                // The socket is as good as before for the next one that reads it.
                send(&theirs, b"later", SendFlags::empty()).unwrap();
                let (sender, frames) = mpsc::channel();
                let next = Reader::start(kept, 64, move |frame| sender.send(frame.to_vec()).unwrap());
                assert_eq!(frames.recv_timeout(Duration::from_secs(10)).unwrap(), b"later");
                drop(next);
            }
        }
    }
}

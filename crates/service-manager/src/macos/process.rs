//! A running process that cannot be mistaken for a later one with the same number.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::event::kqueue::{Event, EventFilter, EventFlags, ProcessEvents, kevent, kqueue};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A process that was running when it was opened.
#[derive(Debug)]
pub(crate) struct Process {
    pid: Pid,
    started: u64,
    /// Readable once the process has ended.
    queue: OwnedFd,
}

impl Process {
    /// The process `pid` that started at `started`; `None` when it has ended, even if another process has
    /// its number now.
    pub(crate) fn open(pid: i32, started: u64) -> io::Result<Option<Self>> {
        let Some(number) = Pid::from_raw(pid) else {
            return Ok(None);
        };
        let queue = kqueue()?;
        let watch = Event::new(
            EventFilter::Proc {
                pid: number,
                flags: ProcessEvents::EXIT,
            },
            EventFlags::ADD,
            std::ptr::null_mut(),
        );
        let mut none: [Event; 0] = [];
        // SAFETY: the event names a process, not a descriptor that could be closed.
        match unsafe { kevent(&queue, &[watch], &mut none[..], None) } {
            Ok(_) => {}
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        // In this order: what the number stands for now is watched before it is identified.
        Ok((start_time(pid) == Some(started)).then_some(Self {
            pid: number,
            started,
            queue,
        }))
    }

    /// Sends `signal`; nothing happens when the process has ended.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        if start_time(self.pid.as_raw_nonzero().get()) != Some(self.started) {
            return Ok(());
        }
        match kill_process(self.pid, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Resolves as soon as the process has ended.
    pub(crate) async fn ended(self) -> io::Result<()> {
        // SAFETY: an `OwnedFd` always gives the one descriptor that it keeps open.
        let queue = unsafe { AsyncFd::register_with_interest(self.queue, Interest::READABLE) }?;
        queue.readable().await?.retain_ready();
        Ok(())
    }
}

/// When process `pid` started, in microseconds since 1970; `None` when there is no such process or it is a
/// zombie.
pub(crate) fn start_time(pid: i32) -> Option<u64> {
    let mut info = MaybeUninit::<libc::proc_bsdinfo>::zeroed();
    let size = i32::try_from(size_of::<libc::proc_bsdinfo>()).ok()?;
    // SAFETY: the call writes at most `size` bytes to `info`.
    let written =
        unsafe { libc::proc_pidinfo(pid, libc::PROC_PIDTBSDINFO, 0, info.as_mut_ptr().cast(), size) };
    if written != size {
        return None;
    }
    // SAFETY: the structure holds numbers only, was zeroed, and has been written as a whole.
    let info = unsafe { info.assume_init() };
    (info.pbi_status != libc::SZOMB).then_some(info.pbi_start_tvsec * 1_000_000 + info.pbi_start_tvusec)
}

/// Nothing: start times are dates here, and can be compared across runs of the system.
pub(crate) fn boot_id() -> String {
    String::new()
}

//! A running process that cannot be mistaken for a later one with the same number.

use std::io;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A process that was running when it was opened.
#[derive(Debug)]
pub(crate) struct Process {
    pidfd: OwnedFd,
}

impl Process {
    /// The process `pid` that started at `start_time`; `None` when it has ended, even if another process has
    /// its number now.
    pub(crate) fn open(pid: i32, started: u64) -> io::Result<Option<Self>> {
        let Some(number) = Pid::from_raw(pid) else {
            return Ok(None);
        };
        // In this order: what the number stands for now is held before it is identified.
        let pidfd = match pidfd_open(number, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            // The second is what newer kernels say while a process is just being reaped.
            Err(rustix::io::Errno::SRCH | rustix::io::Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if start_time(pid) != Some(started) {
            return Ok(None);
        }
        let process = Self { pidfd };
        Ok((!process.has_ended()?).then_some(process))
    }

    /// Whether it has ended, be it reaped or not.
    fn has_ended(&self) -> io::Result<bool> {
        let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
        Ok(rustix::event::poll(
            &mut fds,
            Some(&Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            }),
        )? > 0)
    }

    /// Sends `signal`; nothing happens when the process has ended.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(&self.pidfd, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Resolves as soon as the process has ended.
    pub(crate) async fn ended(self) -> io::Result<()> {
        // The kernel makes a pidfd readable at the end of its process.
        // SAFETY: an `OwnedFd` always gives the one descriptor that it keeps open.
        let pidfd = unsafe { AsyncFd::register_with_interest(self.pidfd, Interest::READABLE) }?;
        pidfd.readable().await?.retain_ready();
        Ok(())
    }
}

/// When process `pid` started, in clock ticks since the system did; `None` when there is no such process.
pub(crate) fn start_time(pid: i32) -> Option<u64> {
    parse_start_time(&std::fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// Field 22 of `/proc/<pid>/stat`. Field 2, the name, may hold spaces and parentheses.
fn parse_start_time(stat: &[u8]) -> Option<u64> {
    let after_name = stat.iter().rposition(|&byte| byte == b')')? + 1;
    let fields = std::str::from_utf8(stat.get(after_name..)?).ok()?;
    fields.split_ascii_whitespace().nth(22 - 3)?.parse().ok()
}

/// Which run of the system this is: start times of different runs cannot be compared.
pub(crate) fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_times_are_found_behind_any_name() {
        let stat = b"12 (a) b (c) R 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21\n";
        assert_eq!(parse_start_time(stat), Some(4711));
        assert_eq!(parse_start_time(b"12 (a) R 1 2 3"), None);
        assert_eq!(parse_start_time(b"garbage"), None);
        assert_eq!(parse_start_time(b""), None);
    }

    #[test]
    fn a_process_is_known_by_number_and_start() {
        let own = i32::try_from(std::process::id()).unwrap();
        let started = start_time(own).unwrap();
        assert!(Process::open(own, started).unwrap().is_some());
        assert!(Process::open(own, started + 1).unwrap().is_none());
        assert!(Process::open(0, started).unwrap().is_none());
        assert!(Process::open(i32::MAX, started).unwrap().is_none());
    }
}

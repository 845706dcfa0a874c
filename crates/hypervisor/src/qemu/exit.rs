use std::os::unix::process::ExitStatusExt;

use super::process::Ended;
use crate::ExitReason;
use crate::boot_log::BootLog;

/// Everything that is known of how a machine ended.
#[derive(Debug)]
pub(super) struct Evidence<'a> {
    /// This side wanted it.
    pub(super) stopped: bool,
    /// The guest's agent answered at some time.
    pub(super) agent_seen: bool,
    /// The reason in QEMU's last `SHUTDOWN` event.
    pub(super) shutdown: Option<&'a str>,
    pub(super) ended: &'a Ended,
    pub(super) boot_log: &'a BootLog,
}

impl Evidence<'_> {
    pub(super) fn reason(&self) -> ExitReason {
        if self.stopped {
            return ExitReason::Stopped;
        }
        match self.shutdown {
            Some("guest-shutdown") => return ExitReason::GuestShutdown,
            Some("guest-reset" | "guest-panic") => return self.reset(),
            Some("host-signal") => {
                return ExitReason::Killed {
                    signal: libc::SIGTERM,
                };
            }
            _ => {}
        }
        if let Some(signal) = self.ended.status.signal() {
            return ExitReason::Killed { signal };
        }
        let message = if self.ended.messages.is_empty() {
            self.ended.status.to_string()
        } else {
            self.ended.messages.clone()
        };
        ExitReason::Failed { message }
    }

    /// A kernel that panics restarts, and so do guests that want to.
    fn reset(&self) -> ExitReason {
        match self.boot_log.panic() {
            Some((message, boot_log)) => ExitReason::GuestPanic {
                message: message.to_owned(),
                boot_log,
            },
            None if self.agent_seen => ExitReason::GuestReset,
            // Before there is a console a kernel panics in silence.
            None => ExitReason::GuestPanic {
                message: "the guest restarted before its agent answered".to_owned(),
                boot_log: self.boot_log.last_lines(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::ExitStatus;

    use super::*;

    fn reason(stopped: bool, agent_seen: bool, shutdown: Option<&str>, status: i32, log: &str) -> ExitReason {
        let ended = Ended {
            status: ExitStatus::from_raw(status),
            messages: String::new(),
        };
        Evidence {
            stopped,
            agent_seen,
            shutdown,
            ended: &ended,
            boot_log: &BootLog::parse(log.as_bytes()),
        }
        .reason()
    }

    #[test]
    fn what_somebody_here_wanted_comes_first() {
        assert_eq!(
            reason(true, true, Some("host-qmp-quit"), 0, ""),
            ExitReason::Stopped
        );
        assert_eq!(
            reason(true, true, None, 9, "Kernel panic - not syncing: x"),
            ExitReason::Stopped
        );
    }

    #[test]
    fn the_guest_ends_in_three_ways() {
        assert_eq!(
            reason(false, true, Some("guest-shutdown"), 0, ""),
            ExitReason::GuestShutdown
        );
        assert_eq!(
            reason(false, true, Some("guest-reset"), 0, "bye"),
            ExitReason::GuestReset
        );
        let panicked = reason(
            false,
            true,
            Some("guest-reset"),
            0,
            "Kernel panic - not syncing: no init\nCPU: 0",
        );
        let boot_log = "Kernel panic - not syncing: no init\nCPU: 0".to_owned();
        assert_eq!(
            panicked,
            ExitReason::GuestPanic {
                message: "no init".to_owned(),
                boot_log
            }
        );
        let silent = reason(false, false, Some("guest-reset"), 0, "");
        assert!(matches!(silent, ExitReason::GuestPanic { .. }), "{silent}");
    }

    #[test]
    fn qemu_ends_without_the_guest() {
        assert_eq!(reason(false, true, None, 9, ""), ExitReason::Killed { signal: 9 });
        assert_eq!(
            reason(false, true, Some("host-signal"), 0, ""),
            ExitReason::Killed { signal: 15 }
        );
        let failed = reason(false, true, None, 1 << 8, "");
        assert_eq!(
            failed,
            ExitReason::Failed {
                message: "exit status: 1".to_owned()
            }
        );
    }
}

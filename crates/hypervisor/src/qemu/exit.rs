use std::os::unix::process::ExitStatusExt;

use super::process::Ended;
use crate::ExitReason;
use crate::boot_log::BootLog;

/// Everything that is known of how a machine ended.
#[derive(Debug)]
pub(super) struct Evidence<'a> {
    /// This side wanted it.
    pub(super) stopped: bool,
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
            None => ExitReason::GuestReset,
        }
    }
}

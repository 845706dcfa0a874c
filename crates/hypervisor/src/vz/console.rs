use std::io::Write;

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::ExitReason;
use crate::boot_log::BootLog;

/// Bytes that are read at once.
const CHUNK: usize = 4096;
/// Bytes of a line that are looked at.
const LINE: usize = 256;

/// What the kernel said on its console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// It panicked and will do nothing more.
    Panicked,
    /// It started its first process a second time: the machine restarted, which the framework does without a word.
    Restarted,
}

impl Sign {
    /// Why a machine ended whose kernel gave this sign.
    pub(super) fn reason(self, boot_log: &BootLog) -> ExitReason {
        match (self, boot_log.panic()) {
            (Self::Restarted, _) => ExitReason::GuestReset,
            (Self::Panicked, Some((message, boot_log))) => ExitReason::GuestPanic {
                message: message.to_owned(),
                boot_log,
            },
            // The log could not be written.
            (Self::Panicked, None) => ExitReason::GuestPanic {
                message: "its message is not in the boot log".to_owned(),
                boot_log: boot_log.last_lines(),
            },
        }
    }
}

/// Appends what the guest writes to its console to the log, until the machine is released. `notice` is called for every
/// sign, once the log has the line.
pub(super) async fn relay(
    mut guest: impl AsyncRead + Unpin,
    mut log: impl Write,
    mut notice: impl FnMut(Sign),
) {
    let mut kernel = Kernel::default();
    let mut buffer = vec![0; CHUNK];
    let mut writable = true;
    loop {
        let length = match guest.read(&mut buffer).await {
            Ok(0) => return,
            Ok(length) => length,
            Err(error) => {
                tracing::warn!(%error, "failed to read the guest's console");
                return;
            }
        };
        let bytes = &buffer[..length];
        // A log that cannot be written is no reason to hold up the guest.
        if writable && let Err(error) = log.write_all(bytes) {
            tracing::warn!(%error, "failed to write the boot log");
            writable = false;
        }
        kernel.hear(bytes, &mut notice);
    }
}

/// Listens to what the kernel says, line by line.
#[derive(Debug, Default)]
struct Kernel {
    line: Vec<u8>,
    booted: bool,
    panicking: bool,
}

impl Kernel {
    fn hear(&mut self, bytes: &[u8], notice: &mut impl FnMut(Sign)) {
        for byte in bytes {
            if *byte != b'\n' {
                if self.line.len() < LINE {
                    self.line.push(*byte);
                }
                continue;
            }
            let line = std::mem::take(&mut self.line);
            if let Some(sign) = self.understand(&line) {
                notice(sign);
            }
        }
    }

    /// Only lines with the kernel's time are the kernel's. Its first ones are no sign: a console that comes up late may
    /// lose them.
    fn understand(&mut self, line: &[u8]) -> Option<Sign> {
        let line = str::from_utf8(line).ok()?.strip_prefix('[')?;
        let (_, text) = line.split_once(']')?;
        let text = text.trim();
        if text.starts_with("---[ end Kernel panic - not syncing") {
            return Some(Sign::Panicked);
        }
        // With `panic=1` on its command line the kernel restarts instead of ending its message.
        if text.starts_with("Kernel panic - not syncing: ") {
            let again = std::mem::replace(&mut self.panicking, true);
            return again.then_some(Sign::Panicked);
        }
        if text.starts_with("Run ") && text.ends_with(" as init process") {
            let again = std::mem::replace(&mut self.booted, true);
            return match (self.panicking, again) {
                (true, _) => Some(Sign::Panicked),
                (false, true) => Some(Sign::Restarted),
                (false, false) => None,
            };
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: &str = "[    0.000000] Booting Linux on physical CPU 0x0000000000 [0x610f0000]\r\n\
        [    0.000000] Linux version 6.12.43 (root@host)\r\n\
        [    0.612345] Run /sbin/vminitd as init process\r\n";
    const PANIC: &str = "[    1.600000] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100\r\n\
        [    1.600100] CPU: 0 UID: 0 PID: 1 Comm: vminitd Not tainted 6.12.43\r\n";
    const END: &str = "[    1.700000] ---[ end Kernel panic - not syncing: Attempted to kill init! ]---\r\n";

    fn signs(text: &str, chunk: usize) -> Vec<Sign> {
        let (mut kernel, mut signs) = (Kernel::default(), Vec::new());
        for bytes in text.as_bytes().chunks(chunk) {
            kernel.hear(bytes, &mut |sign| signs.push(sign));
        }
        signs
    }

    #[test]
    fn a_panic_counts_when_its_message_is_whole() {
        for chunk in [1, 7, 4096] {
            assert_eq!(signs(&format!("{BOOT}{PANIC}"), chunk), []);
            assert_eq!(signs(&format!("{BOOT}{PANIC}{END}"), chunk), [Sign::Panicked]);
        }
    }

    #[test]
    fn a_kernel_that_begins_anew() {
        assert_eq!(signs(BOOT, 4096), []);
        assert_eq!(signs(&format!("{BOOT}{BOOT}"), 4096), [Sign::Restarted]);
        // It restarted because of a panic, and got as far as before, or not.
        assert_eq!(signs(&format!("{BOOT}{PANIC}{BOOT}"), 4096), [Sign::Panicked]);
        assert_eq!(signs(&format!("{PANIC}{PANIC}"), 4096), [Sign::Panicked]);
    }

    #[test]
    fn the_reason_quotes_the_kernel() {
        let log = BootLog::parse(format!("{BOOT}{PANIC}{END}").as_bytes());
        assert_eq!(Sign::Restarted.reason(&log), ExitReason::GuestReset);
        let ExitReason::GuestPanic { message, boot_log } = Sign::Panicked.reason(&log) else {
            panic!("no panic");
        };
        assert_eq!(message, "Attempted to kill init! exitcode=0x00000100");
        assert!(
            boot_log.contains("Comm: vminitd") && !boot_log.contains("Run /sbin"),
            "{boot_log}"
        );
        let lost = Sign::Panicked.reason(&BootLog::parse(BOOT.as_bytes()));
        assert!(lost.to_string().contains("Run /sbin/vminitd"), "{lost}");
    }

    #[test]
    fn others_cannot_speak_for_the_kernel() {
        let text = "---[ end Kernel panic - not syncing: x ]---\nRun /sbin/vminitd as init process\n";
        assert_eq!(signs(&format!("{BOOT}{text}"), 4096), []);
        let long = "x".repeat(100_000);
        let mut kernel = Kernel::default();
        kernel.hear(long.as_bytes(), &mut |_| ());
        assert!(kernel.line.capacity() <= 2 * LINE);
    }

    #[tokio::test]
    async fn the_log_has_everything_when_a_sign_is_noticed() {
        let path = std::env::temp_dir().join(format!("container-console-{}", std::process::id()));
        let log = std::fs::File::create(&path).unwrap();
        let text = format!("{BOOT}{PANIC}{END}");
        let mut noticed = Vec::new();
        relay(text.as_bytes(), log, |sign| {
            noticed.push((sign, std::fs::read_to_string(&path).unwrap()));
        })
        .await;
        std::fs::remove_file(&path).unwrap();
        assert_eq!(noticed, [(Sign::Panicked, text)]);
    }

    #[tokio::test]
    async fn a_full_disk_does_not_stop_the_guest() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let text = BOOT.repeat(100);
        let mut noticed = 0;
        relay(text.as_bytes(), Full, |_| noticed += 1).await;
        assert_eq!(noticed, 99);
    }
}

//! Sysctl, SetTime, SetupEmulator, Sync, Kill.

use std::fs::OpenOptions;
use std::io::Write;

use container_sandbox::proto::{
    KillRequest, KillResponse, SetTimeRequest, SetTimeResponse, SetupEmulatorRequest, SetupEmulatorResponse,
    SyncResponse, SysctlRequest, SysctlResponse,
};
use rustix::time::{ClockId, Timespec};

use crate::error::{Context, Error, Result, blocking};
use crate::launcher::sysctl_path;

const BINFMT_REGISTER: &str = "/proc/sys/fs/binfmt_misc/register";

pub(super) fn sysctl(request: SysctlRequest) -> Result<SysctlResponse> {
    for (name, value) in request.settings {
        let path = sysctl_path(&name);
        if path
            .components()
            .any(|component| component == std::path::Component::ParentDir)
        {
            return Err(Error::Invalid(format!("invalid setting {name}")));
        }
        write(&path, &value).context(|| format!("failed to set {name}"))?;
    }
    Ok(SysctlResponse {})
}

fn write(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    OpenOptions::new()
        .write(true)
        .open(path)?
        .write_all(text.as_bytes())
}

pub(super) fn set_time(request: SetTimeRequest) -> Result<SetTimeResponse> {
    let time = Timespec {
        tv_sec: request.sec,
        tv_nsec: i64::from(request.usec) * 1000,
    };
    rustix::time::clock_settime(ClockId::Realtime, time).context(|| "failed to set the time".into())?;
    Ok(SetTimeResponse {})
}

pub(super) fn setup_emulator(request: &SetupEmulatorRequest) -> Result<SetupEmulatorResponse> {
    let registration = registration(request)?;
    write(std::path::Path::new(BINFMT_REGISTER), &registration)
        .context(|| format!("failed to register {}", request.name))?;
    Ok(SetupEmulatorResponse {})
}

/// The line that registers an interpreter: its fields, separated by colons.
fn registration(request: &SetupEmulatorRequest) -> Result<String> {
    let fields = [
        &request.name,
        &request.r#type,
        &request.offset,
        &request.magic,
        &request.mask,
        &request.binary_path,
        &request.flags,
    ];
    if fields.iter().any(|field| field.contains([':', '\n'])) || request.name.is_empty() {
        return Err(Error::Invalid(format!("invalid emulator {}", request.name)));
    }
    Ok(fields
        .iter()
        .fold(String::new(), |line, field| line + ":" + field))
}

pub(super) async fn sync() -> Result<SyncResponse> {
    blocking(|| {
        rustix::fs::sync();
        Ok(SyncResponse {})
    })
    .await
}

/// Sends a signal as kill(2) does; its result, negated where it is an error number.
pub(super) fn kill(request: &KillRequest) -> KillResponse {
    // SAFETY: takes no pointers.
    let result = match unsafe { libc::kill(request.pid, request.signal) } {
        0 => 0,
        _ => -std::io::Error::last_os_error().raw_os_error().unwrap_or(1),
    };
    KillResponse { result }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emulator_is_one_line() {
        let request = SetupEmulatorRequest {
            binary_path: "/run/rosetta/rosetta".into(),
            name: "x86_64".into(),
            r#type: "M".into(),
            offset: "0".into(),
            magic: r"\x7fELF".into(),
            mask: r"\xff".into(),
            flags: "CF".into(),
        };
        let line = r":x86_64:M:0:\x7fELF:\xff:/run/rosetta/rosetta:CF";
        assert_eq!(registration(&request).unwrap(), line);
        assert!(
            registration(&SetupEmulatorRequest {
                flags: "C:F".into(),
                ..request
            })
            .is_err()
        );
    }

    #[test]
    fn settings_stay_below_proc_sys() {
        let settings = [("../../tmp/x".to_owned(), "1".to_owned())].into();
        assert!(matches!(
            sysctl(SysctlRequest { settings }),
            Err(Error::Invalid(_))
        ));
    }

    #[test]
    fn a_process_that_is_not_there_gives_an_error_number() {
        assert_eq!(
            kill(&KillRequest {
                pid: i32::MAX,
                signal: 0
            })
            .result,
            -libc::ESRCH
        );
    }
}

//! Mount, Umount.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use container_sandbox::proto::{MountRequest, MountResponse, UmountRequest, UmountResponse};
use rustix::io::Errno;
use rustix::mount::UnmountFlags;

use crate::error::{Context, Error, Result, blocking};
use crate::launcher::syscalls::{MountCall, Node};
use crate::launcher::{mount as mount_at, mount_below};
use crate::options::MountOptions;

/// How long a device may take to be found by the kernel.
const DEVICE_PATIENCE: Duration = Duration::from_secs(2);

/// How long a file system may stay busy.
const BUSY_PATIENCE: Duration = Duration::from_millis(510);

/// Wait between two attempts.
const PAUSE: Duration = Duration::from_millis(10);

pub(super) async fn mount(request: MountRequest) -> Result<MountResponse> {
    blocking(move || mount_now(&request).map(|()| MountResponse {})).await
}

fn mount_now(request: &MountRequest) -> Result<()> {
    let target = Path::new(&request.destination);
    if !target.is_absolute() {
        return Err(Error::Invalid(format!(
            "mount point {} is not absolute",
            target.display()
        )));
    }
    let what = || format!("failed to mount {} at {}", request.source, request.destination);
    let options = MountOptions::parse(request.options.iter().map(String::as_str));
    let fstype = Some(request.r#type.as_str()).filter(|fstype| !matches!(*fstype, "" | "none" | "bind"));
    let bind = options.is_bind() || fstype.is_none();
    let source = Path::new(&request.source);
    if fstype == Some("overlay") {
        for name in ["upperdir", "workdir"] {
            options
                .value(name)
                .map_or(Ok(()), fs::create_dir_all)
                .context(what)?;
        }
    }
    let node = if bind && !fs::metadata(source).context(what)?.is_dir() {
        Node::File
    } else {
        Node::Directory
    };
    let data = Some(options.data.as_str()).filter(|data| !data.is_empty());
    let call = match bind {
        true => MountCall {
            source: Some(source),
            flags: libc::MS_BIND | options.flags & libc::MS_REC,
            ..MountCall::default()
        },
        false => MountCall {
            source: Some(source),
            fstype,
            flags: options.flags,
            data,
        },
    };
    let root = match request.root.as_str() {
        "" => Path::new("/"),
        root => Path::new(root),
    };
    patiently(fstype, source, || mount_below(root, target, node, &call)).context(what)?;
    if fstype == Some("virtiofs") && root == Path::new("/") {
        super::waits::attend(target);
    }
    if bind && options.bind_attributes() != 0 {
        let flags = options.bind_attributes() | libc::MS_BIND | libc::MS_REMOUNT;
        mount_at(
            target,
            &MountCall {
                flags,
                ..MountCall::default()
            },
        )
        .context(what)?;
    }
    for flags in options.propagation {
        mount_at(
            target,
            &MountCall {
                flags,
                ..MountCall::default()
            },
        )
        .context(what)?;
    }
    Ok(())
}

/// Tries again while the kernel does not know a device yet, having it look again.
fn patiently(fstype: Option<&str>, source: &Path, attempt: impl Fn() -> io::Result<()>) -> io::Result<()> {
    let started = Instant::now();
    let device = fstype == Some("virtiofs")
        || source
            .to_str()
            .is_some_and(|source| source.starts_with("/dev/vd"));
    loop {
        match attempt() {
            Err(error) if device && is_missing(&error, fstype) && started.elapsed() < DEVICE_PATIENCE => {}
            result => return result,
        }
        // A machine without a PCI bus has nothing to look for.
        let _ = fs::write("/sys/bus/pci/rescan", "1");
        std::thread::sleep(PAUSE);
    }
}

fn is_missing(error: &io::Error, fstype: Option<&str>) -> bool {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENXIO | libc::ENODEV) => true,
        // How virtiofs says that nobody shares anything under that tag.
        Some(libc::EINVAL) => fstype == Some("virtiofs"),
        _ => false,
    }
}

pub(super) async fn umount(request: UmountRequest) -> Result<UmountResponse> {
    let flags = UnmountFlags::from_bits_retain(request.flags.cast_unsigned());
    let started = Instant::now();
    loop {
        let path = request.path.clone();
        let busy = blocking(move || match rustix::mount::unmount(&path, flags) {
            Err(Errno::BUSY) if started.elapsed() < BUSY_PATIENCE => Ok(true),
            result => result
                .map(|()| false)
                .context(|| format!("failed to unmount {path}")),
        });
        if !busy.await? {
            return Ok(UmountResponse {});
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_devices_are_waited_for() {
        let refuse = || Err(io::Error::from_raw_os_error(libc::ENOENT));
        let started = Instant::now();
        patiently(Some("ext4"), Path::new("/tmp/x"), refuse).unwrap_err();
        assert!(started.elapsed() < DEVICE_PATIENCE);
        let attempts = std::cell::Cell::new(0);
        patiently(Some("ext4"), Path::new("/dev/vdz"), || {
            attempts.set(attempts.get() + 1);
            if attempts.get() < 3 { refuse() } else { Ok(()) }
        })
        .unwrap();
        assert_eq!(attempts.get(), 3);
    }

    #[test]
    fn a_relative_mount_point_is_refused() {
        let request = MountRequest {
            destination: "x".into(),
            ..MountRequest::default()
        };
        assert!(matches!(mount_now(&request), Err(Error::Invalid(_))));
    }
}

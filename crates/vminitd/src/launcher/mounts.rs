//! The container's file systems.

use std::path::Path;

use oci_spec::runtime::{Mount, Spec};

use super::Error;
use super::error::Step;
use super::syscalls::{Kind, MountCall, Node, Syscalls};
use crate::options::MountOptions;

/// Links of every container: where, and what to.
const LINKS: [(&str, &str); 5] = [
    ("/dev/ptmx", "pts/ptmx"),
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
];

/// Turns the root directory of a container and everything that is mounted below it into the root of
/// this mount namespace (behaviour.md 29.4).
pub(super) fn enter(sys: &impl Syscalls, spec: &Spec) -> Result<(), Error> {
    let root = spec
        .root()
        .as_ref()
        .ok_or_else(|| Error::Configuration("container has no root".into()))?;
    let path = root.path().as_path();
    let slave = MountCall {
        flags: libc::MS_REC | libc::MS_SLAVE,
        ..MountCall::default()
    };
    sys.mount(Path::new("/"), &slave)
        .step(|| "make mounts private".into())?;
    let bind = MountCall {
        source: Some(path),
        flags: libc::MS_BIND | libc::MS_REC,
        ..MountCall::default()
    };
    sys.mount(path, &bind)
        .step(|| format!("bind {}", path.display()))?;
    for mount in spec.mounts().iter().flatten() {
        one(sys, path, mount)?;
    }
    for (link, target) in LINKS {
        sys.link_below(path, Path::new(link), target)
            .step(|| format!("link {link}"))?;
    }
    if sys
        .kind(&path.join("dev/rtc0"))
        .step(|| "look for /dev/rtc0".into())?
        != Kind::Missing
    {
        sys.link_below(path, Path::new("/dev/rtc"), "rtc0")
            .step(|| "link /dev/rtc".into())?;
    }
    sys.pivot_root(path)
        .step(|| format!("change root to {}", path.display()))?;
    if root.readonly() == Some(true) {
        sys.make_read_only(Path::new("/"), false)
            .step(|| "make the root read-only".into())?;
    }
    Ok(())
}

/// Mounts one entry of the specification.
fn one(sys: &impl Syscalls, root: &Path, mount: &Mount) -> Result<(), Error> {
    let target = mount.destination();
    let what = || format!("mount {}", target.display());
    let fstype = mount
        .typ()
        .as_deref()
        .filter(|fstype| !matches!(*fstype, "" | "none" | "bind"));
    let mut options = MountOptions::parse(mount.options().iter().flatten().map(String::as_str));
    if mount.typ().as_deref() == Some("bind") {
        options.flags |= libc::MS_BIND;
    }
    let source = mount.source().as_deref().or_else(|| fstype.map(Path::new));
    let mut node = Node::Directory;
    if options.is_bind() {
        let source = source
            .ok_or_else(|| Error::Configuration(format!("bind mount {} has no source", target.display())))?;
        if sys.kind(source).step(what)? == Kind::Other {
            node = Node::File;
        }
    }
    let data = Some(options.data.as_str()).filter(|data| !data.is_empty());
    // A bind takes no attributes; a remount gives them to it.
    let call = match options.is_bind() {
        true => MountCall {
            source,
            flags: options.flags & (libc::MS_BIND | libc::MS_REC),
            ..MountCall::default()
        },
        false => MountCall {
            source,
            fstype,
            flags: options.flags,
            data,
        },
    };
    sys.mount_below(root, target, node, &call).step(what)?;
    let attributes = options.bind_attributes();
    if options.is_bind() && attributes != 0 {
        let flags = attributes | libc::MS_BIND | libc::MS_REMOUNT;
        sys.mount_below(
            root,
            target,
            node,
            &MountCall {
                flags,
                ..MountCall::default()
            },
        )
        .step(what)?;
    }
    for flags in options.propagation {
        sys.mount_below(
            root,
            target,
            node,
            &MountCall {
                flags,
                ..MountCall::default()
            },
        )
        .step(what)?;
    }
    Ok(())
}

/// Hides paths: files behind `/dev/null`, directories behind an empty one (behaviour.md 30.4).
pub(super) fn mask(sys: &impl Syscalls, paths: &[String]) -> Result<(), Error> {
    for path in paths {
        let what = || format!("mask {path}");
        let path = Path::new(path);
        let call = match sys.kind(path).step(what)? {
            Kind::Missing => continue,
            Kind::Directory => MountCall {
                source: Some(Path::new("tmpfs")),
                fstype: Some("tmpfs"),
                flags: libc::MS_RDONLY,
                data: Some("mode=555"),
            },
            Kind::Other => MountCall {
                source: Some(Path::new("/dev/null")),
                flags: libc::MS_BIND,
                ..MountCall::default()
            },
        };
        sys.mount(path, &call).step(what)?;
    }
    Ok(())
}

/// Makes paths read-only (behaviour.md 30.4).
pub(super) fn make_read_only(sys: &impl Syscalls, paths: &[String]) -> Result<(), Error> {
    for path in paths {
        let what = || format!("make {path} read-only");
        let path = Path::new(path);
        if sys.kind(path).step(what)? == Kind::Missing {
            continue;
        }
        let bind = MountCall {
            source: Some(path),
            flags: libc::MS_BIND | libc::MS_REC,
            ..MountCall::default()
        };
        sys.mount(path, &bind).step(what)?;
        sys.make_read_only(path, true).step(what)?;
    }
    Ok(())
}

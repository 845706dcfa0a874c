//! Going back to the namespace of an earlier holder, of which somebody else has kept a descriptor.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use rustix::fs::fstat;

use super::namespace::is_privileged;

/// Whether two descriptors are of one namespace.
///
/// # Errors
/// The system's own.
pub(crate) fn is_same(a: impl AsFd, b: impl AsFd) -> io::Result<bool> {
    let (a, b) = (fstat(a)?, fstat(b)?);
    Ok((a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
}

/// What a holder joins, as [`Order::Namespaces`](super::Order::Namespaces) gives it, of a network namespace.
///
/// # Errors
/// It is none, it is the host's own, or it belongs to another user.
pub(crate) fn namespaces_of(network: OwnedFd) -> io::Result<Vec<OwnedFd>> {
    if ask(&network, libc::NS_GET_NSTYPE)? != libc::CLONE_NEWNET {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    if is_same(&network, std::fs::File::open("/proc/self/ns/net")?)? {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    if is_privileged() {
        return Ok(vec![network]);
    }
    let user = ask(&network, libc::NS_GET_USERNS)?;
    // SAFETY: the kernel has just made this descriptor, for nobody else.
    let user = unsafe { OwnedFd::from_raw_fd(user) };
    Ok(vec![network, user])
}

fn ask(namespace: &OwnedFd, what: libc::Ioctl) -> io::Result<i32> {
    // SAFETY: these requests have no argument.
    match unsafe { libc::ioctl(namespace.as_raw_fd(), what) } {
        -1 => Err(io::Error::last_os_error()),
        answer => Ok(answer),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn nothing_but_networks_of_others_is_joined() {
        let own = || File::open("/proc/self/ns/net").unwrap();
        assert!(is_same(own(), own()).unwrap());
        assert!(!is_same(own(), File::open("/proc/self/ns/mnt").unwrap()).unwrap());
        for path in ["/proc/self/ns/net", "/proc/self/ns/mnt", "/dev/null"] {
            let file = File::open(path).unwrap();
            assert!(namespaces_of(file.into()).is_err(), "{path}");
        }
    }
}

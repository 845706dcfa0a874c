//! The real system.

use std::ffi::{CString, c_char};
use std::fs;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::ptr;

use libc::{c_int, c_ulong};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::process::{Gid, Uid};
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::syscalls::{CapabilityMasks, Kind, MountCall, Node, Syscalls, Terminal};
use crate::rooted::{Root, path_of};

/// Capabilities that the kernel may know at most.
const CAPABILITIES: u32 = 64;

/// Calls of the running system.
#[derive(Debug, Clone, Copy)]
pub struct Linux;

/// The result of a system call that returns -1 on failure.
fn check(result: impl Into<i64>) -> io::Result<()> {
    if result.into() < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

fn c_string(text: impl AsRef<std::ffi::OsStr>) -> io::Result<CString> {
    Ok(CString::new(text.as_ref().as_bytes())?)
}

/// mount(2).
pub(crate) fn mount(target: &Path, mount: &MountCall<'_>) -> io::Result<()> {
    let target = c_string(target)?;
    let source = mount.source.map(c_string).transpose()?;
    let fstype = mount.fstype.map(c_string).transpose()?;
    let data = mount.data.map(c_string).transpose()?;
    let pointer = |text: &Option<CString>| text.as_ref().map_or(ptr::null::<c_char>(), |text| text.as_ptr());
    // SAFETY: every pointer is null or a terminated string that outlives the call.
    check(unsafe {
        libc::mount(
            pointer(&source),
            target.as_ptr(),
            pointer(&fstype),
            mount.flags,
            pointer(&data).cast(),
        )
    })
}

/// Mounts at a path below a root, made when it is missing.
pub(crate) fn mount_below(root: &Path, target: &Path, node: Node, call: &MountCall<'_>) -> io::Result<()> {
    let point = Root::open(root)?.mount_point(target, node)?;
    mount(Path::new(&path_of(&point)), call)
}

/// `struct mount_attr` of the kernel.
#[repr(C)]
struct MountAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    userns_fd: u64,
}

const MOUNT_ATTR_RDONLY: u64 = 1;
const AT_RECURSIVE: c_int = 0x8000;

impl Syscalls for Linux {
    fn unshare(&self, namespaces: c_int) -> io::Result<()> {
        // SAFETY: takes no pointers; the caller is the only thread.
        check(unsafe { libc::unshare(namespaces) })
    }

    fn join(&self, process: BorrowedFd<'_>, namespaces: c_int) -> io::Result<()> {
        // SAFETY: the descriptor is open, and no pointers are passed.
        check(unsafe { libc::setns(process.as_raw_fd(), namespaces) })
    }

    fn setsid(&self) -> io::Result<()> {
        rustix::process::setsid()?;
        Ok(())
    }

    fn mount(&self, target: &Path, call: &MountCall<'_>) -> io::Result<()> {
        mount(target, call)
    }

    fn mount_below(&self, root: &Path, target: &Path, node: Node, call: &MountCall<'_>) -> io::Result<()> {
        mount_below(root, target, node, call)
    }

    fn make_read_only(&self, mount: &Path, recursive: bool) -> io::Result<()> {
        let path = c_string(mount)?;
        let attributes = MountAttributes {
            set: MOUNT_ATTR_RDONLY,
            clear: 0,
            propagation: 0,
            userns_fd: 0,
        };
        let flags = if recursive { AT_RECURSIVE } else { 0 };
        // SAFETY: the path is terminated, and the size is the structure's.
        check(unsafe {
            libc::syscall(
                libc::SYS_mount_setattr,
                libc::AT_FDCWD,
                path.as_ptr(),
                flags,
                &raw const attributes,
                size_of::<MountAttributes>(),
            )
        })
    }

    fn pivot_root(&self, root: &Path) -> io::Result<()> {
        rustix::process::chdir(root)?;
        // The old root is stacked on the new one, and then taken off: no directory is needed for it.
        rustix::process::pivot_root(".", ".")?;
        rustix::mount::unmount(".", rustix::mount::UnmountFlags::DETACH)?;
        rustix::process::chdir("/")?;
        Ok(())
    }

    fn link_below(&self, root: &Path, link: &Path, target: &str) -> io::Result<()> {
        Root::open(root)?.replace_with_link(link, target)
    }

    fn kind(&self, path: &Path) -> io::Result<Kind> {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => Ok(Kind::Directory),
            Ok(_) => Ok(Kind::Other),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                Ok(Kind::Missing)
            }
            Err(error) => Err(error),
        }
    }

    fn create_dir_all(&self, path: &Path, mode: u32) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(mode).create(path)
    }

    fn create_file(&self, path: &Path) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NOCTTY;
        rustix::fs::openat(CWD, path, flags, Mode::from_raw_mode(0o644))?;
        Ok(())
    }

    fn write(&self, path: &Path, text: &str) -> io::Result<()> {
        fs::OpenOptions::new()
            .write(true)
            .open(path)?
            .write_all(text.as_bytes())
    }

    fn chdir(&self, path: &Path) -> io::Result<()> {
        Ok(rustix::process::chdir(path)?)
    }

    fn sethostname(&self, name: &str) -> io::Result<()> {
        Ok(rustix::system::sethostname(name.as_bytes())?)
    }

    fn setdomainname(&self, name: &str) -> io::Result<()> {
        Ok(rustix::system::setdomainname(name.as_bytes())?)
    }

    fn open_terminal(&self, size: Option<(u16, u16)>) -> io::Result<Terminal> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let master = rustix::fs::openat(CWD, "/dev/pts/ptmx", flags, Mode::empty())?;
        rustix::pty::unlockpt(&master)?;
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let slave = rustix::pty::ioctl_tiocgptpeer(&master, flags)?;
        let name = rustix::pty::ptsname(&master, Vec::new())?;
        if let Some((ws_row, ws_col)) = size {
            let size = Winsize {
                ws_row,
                ws_col,
                ws_xpixel: 0,
                ws_ypixel: 0,
            };
            rustix::termios::tcsetwinsize(&slave, size)?;
        }
        let path = PathBuf::from(std::ffi::OsStr::from_bytes(name.as_bytes()));
        Ok(Terminal { master, slave, path })
    }

    fn attach_terminal(&self, terminal: OwnedFd) -> io::Result<()> {
        rustix::process::ioctl_tiocsctty(&terminal)?;
        for fd in 0..3 {
            // SAFETY: plain descriptor numbers; what 0 to 2 were is not used any more.
            check(unsafe { libc::dup2(terminal.as_raw_fd(), fd) })?;
        }
        Ok(())
    }

    fn close_on_exec(&self, first: u32) -> io::Result<()> {
        // SAFETY: takes no pointers, and closes nothing now.
        check(unsafe {
            libc::syscall(
                libc::SYS_close_range,
                first,
                c_ulong::from(u32::MAX),
                libc::CLOSE_RANGE_CLOEXEC,
            )
        })
    }

    fn setrlimit(&self, resource: c_int, soft: u64, hard: u64) -> io::Result<()> {
        let limit = libc::rlimit {
            rlim_cur: soft,
            rlim_max: hard,
        };
        // SAFETY: the structure outlives the call. The type of `resource` differs between C libraries.
        check(unsafe { libc::setrlimit(resource as _, &raw const limit) })
    }

    fn limit_bounding_set(&self, keep: u64) -> io::Result<()> {
        for capability in (0..CAPABILITIES).filter(|n| keep & (1 << n) == 0) {
            // SAFETY: takes no pointers.
            let result = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, c_ulong::from(capability), 0, 0, 0) };
            match check(result) {
                // The kernel knows no more capabilities.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => break,
                result => result?,
            }
        }
        Ok(())
    }

    fn keep_capabilities(&self, keep: bool) -> io::Result<()> {
        Ok(rustix::thread::set_keep_capabilities(keep)?)
    }

    fn chown_stdio(&self, uid: u32) -> io::Result<()> {
        for fd in 0..3 as RawFd {
            // SAFETY: the launcher's 0 to 2 are open and nobody closes them.
            let fd = unsafe { BorrowedFd::borrow_raw(fd) };
            let stat = rustix::fs::fstat(fd)?;
            let device = stat.st_mode & libc::S_IFMT == libc::S_IFCHR;
            // `/dev/null` belongs to everybody; a terminal is this process's alone.
            if stat.st_uid == uid || (device && !rustix::termios::isatty(fd)) {
                continue;
            }
            match rustix::fs::fchown(fd, Some(Uid::from_raw(uid)), None) {
                // Sockets and read-only file systems have owners that stay.
                Ok(())
                | Err(rustix::io::Errno::ROFS | rustix::io::Errno::PERM | rustix::io::Errno::INVAL) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn setgroups(&self, groups: &[u32]) -> io::Result<()> {
        let groups: Vec<Gid> = groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
        Ok(rustix::thread::set_thread_groups(&groups)?)
    }

    fn setgid(&self, gid: u32) -> io::Result<()> {
        let gid = Gid::from_raw(gid);
        Ok(rustix::thread::set_thread_res_gid(gid, gid, gid)?)
    }

    fn setuid(&self, uid: u32) -> io::Result<()> {
        let uid = Uid::from_raw(uid);
        Ok(rustix::thread::set_thread_res_uid(uid, uid, uid)?)
    }

    fn set_capabilities(&self, masks: CapabilityMasks) -> io::Result<()> {
        let sets = CapabilitySets {
            effective: CapabilitySet::from_bits_retain(masks.effective),
            permitted: CapabilitySet::from_bits_retain(masks.permitted),
            inheritable: CapabilitySet::from_bits_retain(masks.inheritable),
        };
        Ok(rustix::thread::set_capabilities(None, sets)?)
    }

    fn set_ambient(&self, mask: u64) -> io::Result<()> {
        rustix::thread::clear_ambient_capability_set()?;
        for capability in (0..CAPABILITIES).filter(|n| mask & (1 << n) != 0) {
            let set = CapabilitySet::from_bits_retain(1 << capability);
            rustix::thread::configure_capability_in_ambient_set(set, true)?;
        }
        Ok(())
    }

    fn no_new_privileges(&self) -> io::Result<()> {
        Ok(rustix::thread::set_no_new_privs(true)?)
    }

    fn umask(&self, mask: u32) {
        rustix::process::umask(Mode::from_raw_mode(mask));
    }

    fn reset_signals(&self) -> io::Result<()> {
        // SAFETY: takes no pointers. Rust's runtime ignores SIGPIPE, which exec would pass on.
        if unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) } == libc::SIG_ERR {
            return Err(io::Error::last_os_error());
        }
        let none = 0_u64;
        // SAFETY: the set outlives the call, and its size is given. The C library's function would leave those
        // signals blocked that it has for itself.
        check(unsafe {
            libc::syscall(
                libc::SYS_rt_sigprocmask,
                libc::SIG_SETMASK,
                &raw const none,
                ptr::null_mut::<u64>(),
                size_of::<u64>(),
            )
        })
    }

    fn exec(&self, path: &CString, args: &[CString], env: &[CString]) -> io::Error {
        let pointers = |strings: &[CString]| -> Vec<*const c_char> {
            strings
                .iter()
                .map(|string| string.as_ptr())
                .chain([ptr::null()])
                .collect()
        };
        let (args, env) = (pointers(args), pointers(env));
        // SAFETY: both arrays end with null, and hold terminated strings that outlive the call.
        unsafe { libc::execve(path.as_ptr(), args.as_ptr(), env.as_ptr()) };
        io::Error::last_os_error()
    }
}

/// Whether a descriptor is still open: what a test wants to know after [`Syscalls::close_on_exec`].
#[cfg(test)]
fn closes_on_exec(fd: impl std::os::fd::AsFd) -> bool {
    rustix::io::fcntl_getfd(fd).is_ok_and(|flags| flags.contains(rustix::io::FdFlags::CLOEXEC))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_marked_to_be_closed() {
        let file = tempfile::tempfile().unwrap();
        rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).unwrap();
        assert!(!closes_on_exec(&file));
        Linux.close_on_exec(file.as_raw_fd().try_into().unwrap()).unwrap();
        assert!(closes_on_exec(&file));
    }

    #[test]
    fn kinds_of_paths() {
        assert_eq!(Linux.kind(Path::new("/")).unwrap(), Kind::Directory);
        assert_eq!(Linux.kind(Path::new("/dev/null")).unwrap(), Kind::Other);
        assert_eq!(Linux.kind(Path::new("/dev/null/x")).unwrap(), Kind::Missing);
    }

    #[test]
    fn exec_tells_why_not() {
        let error = Linux.exec(&c"/nonexistent/program".into(), &[], &[]);
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}

//! What the launcher needs from the system, as a trait, so that tests can see the order of its steps.

use std::ffi::CString;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use libc::{c_int, c_ulong};

pub use crate::rooted::Node;

/// One mount, without the place where it goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MountCall<'a> {
    /// Device, tag or path.
    pub source: Option<&'a Path>,
    /// File system type.
    pub fstype: Option<&'a str>,
    /// Flags of mount(2).
    pub flags: c_ulong,
    /// Options of the file system.
    pub data: Option<&'a str>,
}

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    Missing,
    /// A directory.
    Directory,
    /// Anything else.
    Other,
}

/// A new pseudo terminal.
#[derive(Debug)]
pub struct Terminal {
    /// The side of the agent.
    pub master: OwnedFd,
    /// The side of the process.
    pub slave: OwnedFd,
    /// Path of the process's side.
    pub path: PathBuf,
}

/// Capability sets as bit masks, bit n standing for capability n.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CapabilityMasks {
    /// What counts now.
    pub effective: u64,
    /// What may be made to count.
    pub permitted: u64,
    /// What may survive an exec.
    pub inheritable: u64,
}

/// The system calls of the launcher. All of them act on the calling thread, which must be the only one.
pub trait Syscalls {
    /// Leaves namespaces for new ones.
    ///
    /// # Errors
    /// As unshare(2).
    fn unshare(&self, namespaces: c_int) -> io::Result<()>;
    /// Enters namespaces of the process that a pidfd stands for.
    ///
    /// # Errors
    /// As setns(2).
    fn join(&self, process: BorrowedFd<'_>, namespaces: c_int) -> io::Result<()>;
    /// Starts a session.
    ///
    /// # Errors
    /// As setsid(2).
    fn setsid(&self) -> io::Result<()>;
    /// Mounts at a path that is known to be what it seems.
    ///
    /// # Errors
    /// As mount(2).
    fn mount(&self, target: &Path, mount: &MountCall<'_>) -> io::Result<()>;
    /// Mounts at a path below `root`, made as `node` when it is missing, whatever links are on the way.
    ///
    /// # Errors
    /// As mount(2), and for a mount point that cannot be made.
    fn mount_below(&self, root: &Path, target: &Path, node: Node, mount: &MountCall<'_>) -> io::Result<()>;
    /// Makes one mount read-only without touching its other attributes.
    ///
    /// # Errors
    /// As mount_setattr(2).
    fn make_read_only(&self, mount: &Path, recursive: bool) -> io::Result<()>;
    /// Makes `root`, a mount point, the root of the mount namespace, and forgets the old one.
    ///
    /// # Errors
    /// As pivot_root(2).
    fn pivot_root(&self, root: &Path) -> io::Result<()>;
    /// Makes a symbolic link below `root` in place of whatever is there.
    ///
    /// # Errors
    /// As symlink(2).
    fn link_below(&self, root: &Path, link: &Path, target: &str) -> io::Result<()>;
    /// What a path is; links are followed.
    ///
    /// # Errors
    /// As stat(2), except that a missing path is none.
    fn kind(&self, path: &Path) -> io::Result<Kind>;
    /// Makes a directory and its parents where they are missing.
    ///
    /// # Errors
    /// As mkdir(2).
    fn create_dir_all(&self, path: &Path, mode: u32) -> io::Result<()>;
    /// Makes an empty file where there is none.
    ///
    /// # Errors
    /// As open(2).
    fn create_file(&self, path: &Path) -> io::Result<()>;
    /// Writes into an existing file.
    ///
    /// # Errors
    /// As open(2) and write(2).
    fn write(&self, path: &Path, text: &str) -> io::Result<()>;
    /// Changes the working directory.
    ///
    /// # Errors
    /// As chdir(2).
    fn chdir(&self, path: &Path) -> io::Result<()>;
    /// Sets the host name.
    ///
    /// # Errors
    /// As sethostname(2).
    fn sethostname(&self, name: &str) -> io::Result<()>;
    /// Sets the domain name.
    ///
    /// # Errors
    /// As setdomainname(2).
    fn setdomainname(&self, name: &str) -> io::Result<()>;
    /// Opens a terminal of the devpts at `/dev/pts`, with `(rows, columns)` if a size is given.
    ///
    /// # Errors
    /// As open(2) and ioctl(2).
    fn open_terminal(&self, size: Option<(u16, u16)>) -> io::Result<Terminal>;
    /// Makes a terminal the session's, and standard input, output and error.
    ///
    /// # Errors
    /// As ioctl(2) and dup2(2).
    fn attach_terminal(&self, terminal: OwnedFd) -> io::Result<()>;
    /// Has every descriptor from `first` on closed by exec.
    ///
    /// # Errors
    /// As close_range(2).
    fn close_on_exec(&self, first: u32) -> io::Result<()>;
    /// Sets a resource limit, soft and hard.
    ///
    /// # Errors
    /// As setrlimit(2).
    fn setrlimit(&self, resource: c_int, soft: u64, hard: u64) -> io::Result<()>;
    /// Takes every capability out of the bounding set that the mask does not have.
    ///
    /// # Errors
    /// As prctl(2).
    fn limit_bounding_set(&self, keep: u64) -> io::Result<()>;
    /// Whether permitted capabilities survive the loss of user id 0.
    ///
    /// # Errors
    /// As prctl(2).
    fn keep_capabilities(&self, keep: bool) -> io::Result<()>;
    /// Gives standard input, output and error to a user, except for shared devices.
    ///
    /// # Errors
    /// As fchown(2).
    fn chown_stdio(&self, uid: u32) -> io::Result<()>;
    /// Sets the supplementary groups.
    ///
    /// # Errors
    /// As setgroups(2).
    fn setgroups(&self, groups: &[u32]) -> io::Result<()>;
    /// Sets all group ids.
    ///
    /// # Errors
    /// As setgid(2).
    fn setgid(&self, gid: u32) -> io::Result<()>;
    /// Sets all user ids.
    ///
    /// # Errors
    /// As setuid(2).
    fn setuid(&self, uid: u32) -> io::Result<()>;
    /// Sets the capability sets.
    ///
    /// # Errors
    /// As capset(2).
    fn set_capabilities(&self, masks: CapabilityMasks) -> io::Result<()>;
    /// Empties the ambient set and raises the capabilities of the mask in it.
    ///
    /// # Errors
    /// As prctl(2).
    fn set_ambient(&self, mask: u64) -> io::Result<()>;
    /// Gives up gaining privileges by exec.
    ///
    /// # Errors
    /// As prctl(2).
    fn no_new_privileges(&self) -> io::Result<()>;
    /// Sets the file mode creation mask.
    fn umask(&self, mask: u32);
    /// Undoes what Rust's runtime and the agent did to signals.
    ///
    /// # Errors
    /// As sigaction(2).
    fn reset_signals(&self) -> io::Result<()>;
    /// Becomes another program; returns only to say why not.
    fn exec(&self, path: &CString, args: &[CString], env: &[CString]) -> io::Error;
}

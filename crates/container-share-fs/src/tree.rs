//! The tree that the guest sees, made of mounts in a namespace of this process.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::{fs, io};

use anyhow::Context;
use rustix::fs::{CWD, FileType};
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, mount, mount_change, move_mount,
    open_tree,
};
use rustix::thread::UnshareFlags;

use crate::identity::Identity;
use crate::share::Share;

/// Where the tree is put together. What was there is hidden from this process, but is shared all the same: its mounts
/// are taken before.
pub(crate) const ROOT: &str = "/tmp";

/// Enters namespaces of its own and puts the tree together at [`ROOT`].
///
/// # Errors
/// A path does not exist, or the host allows no user namespaces.
pub(crate) fn build(identity: Identity, writable: &[Share], read_only: &[Share]) -> anyhow::Result<()> {
    enter(identity)?;
    let taken: Vec<Taken<'_>> = writable
        .iter()
        .map(|share| Taken::new(share, false))
        .chain(read_only.iter().map(|share| Taken::new(share, true)))
        .collect::<anyhow::Result<_>>()?;
    let flags = MountFlags::NODEV | MountFlags::NOSUID | MountFlags::NOEXEC;
    mount("shares", ROOT, "tmpfs", flags, Some(c"mode=0755,size=1m")).context("failed to mount a tmpfs")?;
    for taken in taken {
        taken.attach()?;
    }
    // The guest finds its shares here and nothing else; it has no business leaving files behind.
    let root = open_tree(CWD, ROOT, OpenTreeFlags::OPEN_TREE_CLOEXEC)?;
    set_read_only(&root, false).context("failed to make the tree of shares read-only")
}

/// A mount namespace that nothing leaves, and for an ordinary user a user namespace that allows having one.
fn enter(identity: Identity) -> anyhow::Result<()> {
    let mut flags = UnshareFlags::NEWNS;
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    if identity == Identity::One {
        flags |= UnshareFlags::NEWUSER;
    }
    // SAFETY: this process has one thread and no child; it does not share its memory or descriptors.
    unsafe { rustix::thread::unshare_unsafe(flags) }
        .context("failed to make a namespace: does this host allow user namespaces?")?;
    if identity == Identity::One {
        fs::write("/proc/self/uid_map", format!("0 {} 1", user.as_raw()))?;
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/gid_map", format!("0 {} 1", group.as_raw()))?;
    }
    // Not slave: what is mounted below a share later would not be read-only where the share is.
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .context("failed to make the mounts private")
}

/// A copy of the mounts at and below a share.
struct Taken<'a> {
    share: &'a Share,
    mounts: OwnedFd,
    is_directory: bool,
}

impl<'a> Taken<'a> {
    fn new(share: &'a Share, read_only: bool) -> anyhow::Result<Self> {
        let path = share.path.display();
        let flags =
            OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::AT_RECURSIVE;
        let mounts = open_tree(CWD, &share.path, flags).with_context(|| format!("failed to share {path}"))?;
        if read_only {
            set_read_only(&mounts, true).with_context(|| format!("failed to share {path} read-only"))?;
        }
        let stat = rustix::fs::fstat(&mounts)?;
        Ok(Self {
            share,
            mounts,
            is_directory: FileType::from_raw_mode(stat.st_mode).is_dir(),
        })
    }

    fn attach(self) -> anyhow::Result<()> {
        let directory = Path::new(ROOT).join(&self.share.name);
        fs::create_dir(&directory)?;
        let target = if self.is_directory {
            directory
        } else {
            let file = directory.join(self.share.path.file_name().context("a file without a name")?);
            fs::File::create(&file)?;
            file
        };
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(&self.mounts, "", CWD, target, flags)
            .with_context(|| format!("failed to share {}", self.share.path.display()))
    }
}

/// Makes mounts read-only, whatever the file systems in them are mounted as elsewhere.
fn set_read_only(mounts: impl AsFd, recursive: bool) -> io::Result<()> {
    let attributes = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_RDONLY,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is an empty string and the structure as long as is said; both outlive the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mounts.as_fd().as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of_val(&attributes),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

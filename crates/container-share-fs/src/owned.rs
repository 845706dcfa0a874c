//! Owners of files that all belong to one user on the host.
//!
//! The user who serves can give files to nobody else. What a user of the guest makes, or is given by its root, is the
//! serving user's own file with the owner that the guest sees in an extended attribute. Nobody in the guest sees or
//! changes that attribute but by changing owners, which its kernel allows root alone: a file with a set-id bit cannot be
//! passed off as root's.

use std::ffi::CStr;
use std::io;
use std::time::Duration;

use virtiofsd::filesystem::{
    Context, Entry, Extensions, FileSystem, FsOptions, GetxattrReply, ListxattrReply, OpenOptions,
    SetattrValid, SetxattrFlags, ZeroCopyReader, ZeroCopyWriter,
};
use virtiofsd::fuse::{Attr, SetattrIn};
use virtiofsd::passthrough::PassthroughFs;
use virtiofsd::soft_idmap::{GuestGid, GuestUid, Id};

use crate::inside::{as_inside, unchanged};

/// `<user>:<group>` as the guest sees them; without it a file is root's.
const OWNER: &CStr = c"user.container.owner";
/// The longest value: two numbers of ten digits.
const OWNER_SIZE: u32 = 21;
/// Bits of a mode with which a program becomes its file's owner.
const SET_ID: u32 = 0o6000;

type Inode = <PassthroughFs as FileSystem>::Inode;
type Handle = <PassthroughFs as FileSystem>::Handle;

/// A file's user and group in the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Owner(u32, u32);

impl Owner {
    const ROOT: Self = Self(0, 0);

    fn of(context: &Context) -> Self {
        Self(context.uid.into_inner(), context.gid.into_inner())
    }

    fn parse(value: &[u8]) -> Option<Self> {
        let (user, group) = std::str::from_utf8(value).ok()?.split_once(':')?;
        Some(Self(user.parse().ok()?, group.parse().ok()?))
    }
}

/// The files of one user, with owners that only the guest sees.
pub(crate) struct Owned(pub(crate) PassthroughFs);

impl Owned {
    fn owner(&self, inode: Inode) -> Option<Owner> {
        match self.0.getxattr(root(), inode, OWNER, OWNER_SIZE) {
            Ok(GetxattrReply::Value(value)) => Owner::parse(&value),
            _ => None,
        }
    }

    /// Stores the owner. A file that has no attributes, such as a link, stays root's.
    fn set_owner(&self, inode: Inode, owner: Owner) {
        let _ = if owner == Owner::ROOT {
            self.0.removexattr(root(), inode, OWNER)
        } else {
            let value = format!("{}:{}", owner.0, owner.1);
            let flags = SetxattrFlags::empty();
            self.0.setxattr(root(), inode, OWNER, value.as_bytes(), 0, flags)
        };
    }

    /// Puts the owner into what is told of a file. One that belongs to somebody else on the host stays what it is.
    fn show(&self, inode: Inode, attr: &mut Attr) {
        if attr.uid.into_inner() == 0
            && let Some(Owner(user, group)) = self.owner(inode)
        {
            attr.uid = GuestUid::from(user);
            attr.gid = GuestGid::from(group);
        }
    }

    fn shown(&self, mut entry: Entry) -> Entry {
        self.show(entry.inode, &mut entry.attr);
        entry
    }

    /// A file that `context` has made in `parent`.
    fn made(&self, context: &Context, parent: Inode, entry: Entry) -> Entry {
        let mut owner = Owner::of(context);
        // A directory with the set-group-id bit hands its group on.
        if let Ok((mut attr, _)) = self.0.getattr(root(), parent, None)
            && attr.mode & libc::S_ISGID != 0
        {
            self.show(parent, &mut attr);
            owner.1 = attr.gid.into_inner();
        }
        if owner != Owner::ROOT {
            self.set_owner(entry.inode, owner);
        }
        self.shown(entry)
    }

    /// Takes set-id bits from a program.
    fn without_set_id(&self, inode: Inode, attr: &mut Attr) -> io::Result<()> {
        if attr.mode & libc::S_IFMT == libc::S_IFREG && attr.mode & SET_ID != 0 {
            let change = SetattrIn {
                mode: attr.mode & !SET_ID,
                ..SetattrIn::default()
            };
            *attr = self.0.setattr(root(), inode, change, None, SetattrValid::MODE)?.0;
        }
        Ok(())
    }
}

/// The mode of a file that `context` makes: it is root's for a moment, so nobody else's has set-id bits from the start.
fn safe(mode: u32, context: &Context) -> u32 {
    match Owner::of(context) {
        Owner::ROOT => mode,
        _ => mode & !SET_ID,
    }
}

/// The user who serves, as the guest names it.
fn root() -> Context {
    Context {
        uid: GuestUid::from(0),
        gid: GuestGid::from(0),
        pid: 0,
    }
}

fn refused() -> io::Error {
    io::Error::from_raw_os_error(libc::EPERM)
}

impl FileSystem for Owned {
    type Inode = Inode;
    type Handle = Handle;
    type DirIter = <PassthroughFs as FileSystem>::DirIter;

    fn lookup(&self, ctx: Context, parent: Inode, name: &CStr) -> io::Result<Entry> {
        self.0.lookup(ctx, parent, name).map(|entry| self.shown(entry))
    }

    fn getattr(&self, ctx: Context, inode: Inode, handle: Option<Handle>) -> io::Result<(Attr, Duration)> {
        let (mut attr, timeout) = self.0.getattr(ctx, inode, handle)?;
        self.show(inode, &mut attr);
        Ok((attr, timeout))
    }

    fn setattr(
        &self,
        ctx: Context,
        inode: Inode,
        attr: SetattrIn,
        handle: Option<Handle>,
        valid: SetattrValid,
    ) -> io::Result<(Attr, Duration)> {
        let owners = SetattrValid::UID | SetattrValid::GID;
        if valid.intersects(owners) {
            let (mut current, _) = self.0.getattr(ctx, inode, handle)?;
            if current.uid.into_inner() != 0 {
                return Err(refused());
            }
            let mut owner = self.owner(inode).unwrap_or(Owner::ROOT);
            if valid.contains(SetattrValid::UID) {
                owner.0 = attr.uid.into_inner();
            }
            if valid.contains(SetattrValid::GID) {
                owner.1 = attr.gid.into_inner();
            }
            // Whoever gives a file away gives no rights with it.
            self.without_set_id(inode, &mut current)?;
            self.set_owner(inode, owner);
        }
        let rest = valid - owners;
        if !rest.is_empty() {
            self.0.setattr(ctx, inode, attr, handle, rest)?;
        }
        self.getattr(ctx, inode, handle)
    }

    fn symlink(
        &self,
        ctx: Context,
        target: &CStr,
        parent: Inode,
        name: &CStr,
        extensions: Extensions,
    ) -> io::Result<Entry> {
        let entry = self.0.symlink(ctx, target, parent, name, extensions)?;
        Ok(self.made(&ctx, parent, entry))
    }

    fn mknod(
        &self,
        ctx: Context,
        parent: Inode,
        name: &CStr,
        mode: u32,
        device: u32,
        umask: u32,
        extensions: Extensions,
    ) -> io::Result<Entry> {
        let entry = self
            .0
            .mknod(ctx, parent, name, safe(mode, &ctx), device, umask, extensions)?;
        Ok(self.made(&ctx, parent, entry))
    }

    fn mkdir(
        &self,
        ctx: Context,
        parent: Inode,
        name: &CStr,
        mode: u32,
        umask: u32,
        extensions: Extensions,
    ) -> io::Result<Entry> {
        let entry = self.0.mkdir(ctx, parent, name, mode, umask, extensions)?;
        Ok(self.made(&ctx, parent, entry))
    }

    fn link(&self, ctx: Context, inode: Inode, parent: Inode, name: &CStr) -> io::Result<Entry> {
        self.0
            .link(ctx, inode, parent, name)
            .map(|entry| self.shown(entry))
    }

    fn create(
        &self,
        ctx: Context,
        parent: Inode,
        name: &CStr,
        mode: u32,
        kill_priv: bool,
        flags: u32,
        umask: u32,
        extensions: Extensions,
    ) -> io::Result<(Entry, Option<Handle>, OpenOptions)> {
        // The name may be there, with an owner. Somebody on the host may be faster, whose file is then taken for a new
        // one of the guest's user: it is the same user's outside.
        let existed = self.0.lookup(ctx, parent, name).map(|entry| {
            self.0.forget(ctx, entry.inode, 1);
        });
        let (entry, handle, options) = self.0.create(
            ctx,
            parent,
            name,
            safe(mode, &ctx),
            kill_priv,
            flags,
            umask,
            extensions,
        )?;
        let entry = match existed {
            Ok(()) => self.shown(entry),
            Err(_) => self.made(&ctx, parent, entry),
        };
        Ok((entry, handle, options))
    }

    fn setxattr(
        &self,
        ctx: Context,
        inode: Inode,
        name: &CStr,
        value: &[u8],
        flags: u32,
        extra_flags: SetxattrFlags,
    ) -> io::Result<()> {
        if name == OWNER {
            return Err(refused());
        }
        self.0.setxattr(ctx, inode, name, value, flags, extra_flags)
    }

    fn getxattr(&self, ctx: Context, inode: Inode, name: &CStr, size: u32) -> io::Result<GetxattrReply> {
        if name == OWNER {
            return Err(io::Error::from_raw_os_error(libc::ENODATA));
        }
        self.0.getxattr(ctx, inode, name, size)
    }

    fn listxattr(&self, ctx: Context, inode: Inode, size: u32) -> io::Result<ListxattrReply> {
        let reply = self.0.listxattr(ctx, inode, size)?;
        Ok(match reply {
            ListxattrReply::Names(names) => ListxattrReply::Names(without_owner(&names)),
            // Room for more than there is.
            count @ ListxattrReply::Count(_) => count,
        })
    }

    fn removexattr(&self, ctx: Context, inode: Inode, name: &CStr) -> io::Result<()> {
        if name == OWNER {
            return Err(refused());
        }
        self.0.removexattr(ctx, inode, name)
    }

    unchanged!();

    as_inside! {
        fn init(&self, capable: FsOptions) -> io::Result<FsOptions>;
        fn flush(&self, ctx: Context, inode: Inode, handle: Handle, lock_owner: u64) -> io::Result<()>;
        fn release(
            &self, ctx: Context, inode: Inode, flags: u32, handle: Handle, flush: bool, flock_release: bool,
            lock_owner: Option<u64>,
        ) -> io::Result<()>;
    }
}

/// Names that each end with a zero, less the owner's.
fn without_owner(names: &[u8]) -> Vec<u8> {
    names
        .split_inclusive(|byte| *byte == 0)
        .filter(|name| *name != OWNER.to_bytes_with_nul())
        .flatten()
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_two_numbers() {
        assert_eq!(Owner::parse(b"33:44"), Some(Owner(33, 44)));
        assert_eq!(Owner::parse(b"4294967295:0"), Some(Owner(u32::MAX, 0)));
        for wrong in [&b""[..], b"33", b"33:", b":1", b"33:44:5", b"-1:0", b"\xff:0"] {
            assert_eq!(Owner::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_owners_attribute_is_not_listed() {
        let names = b"user.a\0user.container.owner\0user.b\0";
        assert_eq!(without_owner(names), b"user.a\0user.b\0");
        assert_eq!(without_owner(b""), b"");
    }
}

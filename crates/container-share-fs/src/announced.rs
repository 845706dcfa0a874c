//! Announcements of the host's changes, which the guest makes to itself.
//!
//! A kernel tells the watchers of a file what it does to that file itself, and nobody else's doings. So the guest's agent
//! does once more what was done on the host: it creates, removes and renames what was created, removed and renamed. These
//! requests are answered here without doing anything, and lookups on their way so that the guest sees what was there
//! before the change. The agent's thread says that it announces, and what, by asking for an extended attribute; whoever
//! else in the guest says so finds that its own requests have no effect.
//!
//! What the guest has done itself is not announced to it.

use std::ffi::CStr;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use virtiofsd::filesystem::{
    Context, Entry, Extensions, FileSystem, FsOptions, GetxattrReply, ListxattrReply, OpenOptions,
    SetattrValid, SetxattrFlags, ZeroCopyReader, ZeroCopyWriter,
};
use virtiofsd::fuse::{Attr, SetattrIn};

use crate::inside::as_inside;
use crate::view::{Role, Seen, View};

/// What the attributes' names begin with; the rest is a [`Role`], or `end`. The agent has the same text.
const PREFIX: &[u8] = b"user.container.announce.";
/// The number of a file that is open for an announcement.
const HANDLE: u64 = u64::MAX;
/// Files from this number on are not there; the last bit says whether they are directories.
const PHANTOMS: u64 = 1 << 63;

/// A file system whose changes are announced to the guest.
pub(crate) struct Announced<F>(F, Mutex<View>, AtomicU64);

impl<F: FileSystem<Inode = u64, Handle = u64>> Announced<F> {
    /// Puts announcements around `files`.
    pub(crate) fn new(files: F) -> Self {
        Self(files, Mutex::default(), AtomicU64::new(PHANTOMS))
    }

    fn view(&self) -> MutexGuard<'_, View> {
        self.1.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn role(&self, context: &Context) -> Option<Role> {
        self.view().role(context.pid)
    }

    /// Refuses what is no announcement to one who announces.
    fn only_real(&self, context: &Context) -> io::Result<()> {
        self.role(context).map_or(Ok(()), |_| Err(error(libc::EPERM)))
    }

    /// Notes a file that the guest has made, or was told of.
    fn found(&self, parent: u64, name: &CStr, entry: Entry) -> Entry {
        self.view().saw(parent, name, Seen::File(entry.inode));
        entry
    }

    fn made(&self, parent: u64, name: &CStr, entry: Entry) -> Entry {
        self.view().changed(entry.inode);
        self.found(parent, name, entry)
    }

    fn removed(&self, parent: u64, name: &CStr) {
        let mut view = self.view();
        // Another name of the same file may be left.
        if let Some(Seen::File(inode)) = view.seen(parent, name) {
            view.changed(inode);
        }
        view.saw(parent, name, Seen::Removed);
    }

    /// Notes a change that the guest has made to a file, if it has.
    fn changed<T>(&self, inode: u64, result: io::Result<T>) -> io::Result<T> {
        if result.is_ok() {
            self.view().changed(inode);
        }
        result
    }

    /// What one who announces finds at a name: what was there before the change.
    fn before(&self, role: Role, context: Context, parent: u64, name: &CStr) -> io::Result<Entry> {
        let now = match self.0.lookup(context, parent, name) {
            Ok(entry) => {
                self.0.forget(context, entry.inode, 1);
                Some(entry.inode)
            }
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => None,
            Err(error) => return Err(error),
        };
        let seen = self.view().seen(parent, name);
        match (role, seen) {
            // The guest has seen what is there already. Of all errors this one lets its kernel keep what it knows.
            (_, Some(Seen::File(seen))) if now == Some(seen) => Err(error(libc::ENOMEM)),
            (Role::Created, _) => Err(error(libc::ENOENT)),
            (_, Some(Seen::File(seen))) => {
                let old = self.old(role, context, seen);
                Ok(old.unwrap_or_else(|| self.phantom(role)))
            }
            (_, Some(Seen::Removed)) => Err(error(libc::ENOENT)),
            (_, None) => Ok(self.phantom(role)),
        }
    }

    /// A file that the guest still knows, with the name that it has lost on the host.
    fn old(&self, role: Role, context: Context, inode: u64) -> Option<Entry> {
        let mut attr = match self.0.getattr(context, inode, None) {
            Ok((attr, _)) => attr,
            // It was the last name.
            Err(error) if error.raw_os_error() == Some(libc::ESTALE) => Attr {
                nlink: 0,
                ..attributes(inode, role)
            },
            Err(_) => return None,
        };
        // The guest's kernel takes away the one that it is told of.
        attr.nlink += 1;
        self.view().lend(inode);
        Some(entry(inode, attr))
    }

    /// Something to remove or to rename that the guest has never seen.
    fn phantom(&self, role: Role) -> Entry {
        let directory = u64::from(role == Role::Directory);
        let inode = self.2.fetch_add(2, Ordering::Relaxed) | directory;
        entry(inode, attributes(inode, role))
    }

    /// Answers that a name was created when it was.
    fn announce_new(&self, context: Context, parent: u64, name: &CStr) -> io::Result<Entry> {
        let entry = self.0.lookup(context, parent, name)?;
        Ok(self.found(parent, name, entry))
    }

    /// Answers that a name was removed.
    fn announce_end(&self, role: Role, parent: u64, name: &CStr) -> io::Result<()> {
        if role == Role::Created {
            return Err(error(libc::EPERM));
        }
        self.view().forget(parent, name);
        Ok(())
    }

    /// What a file is now, unless its last change is the guest's own.
    fn announce_change(&self, context: Context, inode: u64) -> io::Result<(Attr, Duration)> {
        let (attr, timeout) = self.0.getattr(context, inode, None)?;
        let changed = Duration::new(attr.ctime, attr.ctimensec);
        if self.view().is_own(inode, changed) {
            return Err(error(libc::EALREADY));
        }
        Ok((attr, timeout))
    }
}

fn error(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code)
}

/// A name that the guest asks for again whenever it needs it.
fn entry(inode: u64, attr: Attr) -> Entry {
    Entry {
        inode,
        generation: 0,
        attr,
        attr_timeout: Duration::ZERO,
        entry_timeout: Duration::ZERO,
    }
}

/// Those of a file that is not there.
fn attributes(inode: u64, role: Role) -> Attr {
    Attr {
        ino: inode,
        mode: match role {
            Role::Directory => libc::S_IFDIR | 0o755,
            Role::Created | Role::File => libc::S_IFREG | 0o644,
        },
        nlink: 1,
        ..Attr::default()
    }
}

impl<F: FileSystem<Inode = u64, Handle = u64>> FileSystem for Announced<F> {
    type Inode = u64;
    type Handle = u64;
    type DirIter = F::DirIter;

    fn lookup(&self, ctx: Context, parent: u64, name: &CStr) -> io::Result<Entry> {
        match self.role(&ctx) {
            Some(role) => self.before(role, ctx, parent, name),
            None => self
                .0
                .lookup(ctx, parent, name)
                .map(|entry| self.found(parent, name, entry)),
        }
    }

    fn forget(&self, ctx: Context, inode: u64, count: u64) {
        self.batch_forget(ctx, vec![(inode, count)]);
    }

    fn batch_forget(&self, ctx: Context, requests: Vec<(u64, u64)>) {
        let requests = {
            let mut view = self.view();
            let real = requests.into_iter().filter(|(inode, _)| *inode < PHANTOMS);
            real.map(|(inode, count)| (inode, view.give_back(inode, count)))
                .collect()
        };
        self.0.batch_forget(ctx, requests);
    }

    fn getattr(&self, ctx: Context, inode: u64, handle: Option<u64>) -> io::Result<(Attr, Duration)> {
        if inode >= PHANTOMS {
            let role = if inode % 2 == 1 {
                Role::Directory
            } else {
                Role::File
            };
            return Ok((attributes(inode, role), Duration::ZERO));
        }
        self.0
            .getattr(ctx, inode, handle.filter(|handle| *handle != HANDLE))
    }

    fn setattr(
        &self,
        ctx: Context,
        inode: u64,
        attr: SetattrIn,
        handle: Option<u64>,
        valid: SetattrValid,
    ) -> io::Result<(Attr, Duration)> {
        match self.role(&ctx) {
            Some(_) => self.announce_change(ctx, inode),
            None => self.changed(inode, self.0.setattr(ctx, inode, attr, handle, valid)),
        }
    }

    fn symlink(
        &self,
        ctx: Context,
        target: &CStr,
        parent: u64,
        name: &CStr,
        extensions: Extensions,
    ) -> io::Result<Entry> {
        if self.role(&ctx).is_some() {
            return self.announce_new(ctx, parent, name);
        }
        let entry = self.0.symlink(ctx, target, parent, name, extensions)?;
        Ok(self.made(parent, name, entry))
    }

    fn mknod(
        &self,
        ctx: Context,
        parent: u64,
        name: &CStr,
        mode: u32,
        device: u32,
        umask: u32,
        extensions: Extensions,
    ) -> io::Result<Entry> {
        if self.role(&ctx).is_some() {
            return self.announce_new(ctx, parent, name);
        }
        let entry = self.0.mknod(ctx, parent, name, mode, device, umask, extensions)?;
        Ok(self.made(parent, name, entry))
    }

    fn mkdir(
        &self,
        ctx: Context,
        parent: u64,
        name: &CStr,
        mode: u32,
        umask: u32,
        extensions: Extensions,
    ) -> io::Result<Entry> {
        if self.role(&ctx).is_some() {
            return self.announce_new(ctx, parent, name);
        }
        let entry = self.0.mkdir(ctx, parent, name, mode, umask, extensions)?;
        Ok(self.made(parent, name, entry))
    }

    fn link(&self, ctx: Context, inode: u64, parent: u64, name: &CStr) -> io::Result<Entry> {
        self.only_real(&ctx)?;
        let entry = self.0.link(ctx, inode, parent, name)?;
        Ok(self.made(parent, name, entry))
    }

    fn create(
        &self,
        ctx: Context,
        parent: u64,
        name: &CStr,
        mode: u32,
        kill_priv: bool,
        flags: u32,
        umask: u32,
        extensions: Extensions,
    ) -> io::Result<(Entry, Option<u64>, OpenOptions)> {
        self.only_real(&ctx)?;
        let created = self
            .0
            .create(ctx, parent, name, mode, kill_priv, flags, umask, extensions);
        let (entry, handle, options) = created?;
        Ok((self.made(parent, name, entry), handle, options))
    }

    fn unlink(&self, ctx: Context, parent: u64, name: &CStr) -> io::Result<()> {
        if let Some(role) = self.role(&ctx) {
            return self.announce_end(role, parent, name);
        }
        self.0.unlink(ctx, parent, name)?;
        self.removed(parent, name);
        Ok(())
    }

    fn rmdir(&self, ctx: Context, parent: u64, name: &CStr) -> io::Result<()> {
        if let Some(role) = self.role(&ctx) {
            return self.announce_end(role, parent, name);
        }
        self.0.rmdir(ctx, parent, name)?;
        self.removed(parent, name);
        Ok(())
    }

    fn rename(
        &self,
        ctx: Context,
        olddir: u64,
        oldname: &CStr,
        newdir: u64,
        newname: &CStr,
        flags: u32,
    ) -> io::Result<()> {
        if let Some(role) = self.role(&ctx) {
            let moved = self.view().seen(olddir, oldname);
            self.announce_end(role, olddir, oldname)?;
            self.announce_end(role, newdir, newname)?;
            if let Some(moved) = moved {
                self.view().saw(newdir, newname, moved);
            }
            return Ok(());
        }
        self.0.rename(ctx, olddir, oldname, newdir, newname, flags)?;
        let mut view = self.view();
        let moved = view.seen(olddir, oldname);
        let replaced = view.seen(newdir, newname);
        let exchanged = replaced.filter(|_| flags & libc::RENAME_EXCHANGE != 0);
        for seen in [moved, replaced] {
            if let Some(Seen::File(inode)) = seen {
                view.changed(inode);
            }
        }
        view.saw(olddir, oldname, exchanged.unwrap_or(Seen::Removed));
        match moved {
            Some(moved) => view.saw(newdir, newname, moved),
            None => view.forget(newdir, newname),
        }
        Ok(())
    }

    fn open(
        &self,
        ctx: Context,
        inode: u64,
        kill_priv: bool,
        flags: u32,
    ) -> io::Result<(Option<u64>, OpenOptions)> {
        if self.role(&ctx).is_some() {
            self.announce_change(ctx, inode)?;
            return Ok((Some(HANDLE), OpenOptions::empty()));
        }
        let opened = self.0.open(ctx, inode, kill_priv, flags)?;
        if flags & libc::O_TRUNC as u32 != 0 {
            self.view().changed(inode);
        }
        Ok(opened)
    }

    fn write<R: ZeroCopyReader>(
        &self,
        ctx: Context,
        inode: u64,
        handle: u64,
        r: R,
        size: u32,
        offset: u64,
        lock_owner: Option<u64>,
        delayed_write: bool,
        kill_priv: bool,
        flags: u32,
    ) -> io::Result<usize> {
        let written = self.0.write(
            ctx,
            inode,
            handle,
            r,
            size,
            offset,
            lock_owner,
            delayed_write,
            kill_priv,
            flags,
        );
        self.changed(inode, written)
    }

    fn flush(&self, ctx: Context, inode: u64, handle: u64, lock_owner: u64) -> io::Result<()> {
        if handle == HANDLE {
            return Ok(());
        }
        self.0.flush(ctx, inode, handle, lock_owner)
    }

    fn fallocate(
        &self,
        ctx: Context,
        inode: u64,
        handle: u64,
        mode: u32,
        offset: u64,
        length: u64,
    ) -> io::Result<()> {
        if handle == HANDLE {
            return Ok(());
        }
        self.changed(inode, self.0.fallocate(ctx, inode, handle, mode, offset, length))
    }

    fn release(
        &self,
        ctx: Context,
        inode: u64,
        flags: u32,
        handle: u64,
        flush: bool,
        flock_release: bool,
        lock_owner: Option<u64>,
    ) -> io::Result<()> {
        if handle == HANDLE {
            return Ok(());
        }
        self.0
            .release(ctx, inode, flags, handle, flush, flock_release, lock_owner)
    }

    fn setxattr(
        &self,
        ctx: Context,
        inode: u64,
        name: &CStr,
        value: &[u8],
        flags: u32,
        extra_flags: SetxattrFlags,
    ) -> io::Result<()> {
        self.only_real(&ctx)?;
        self.changed(
            inode,
            self.0.setxattr(ctx, inode, name, value, flags, extra_flags),
        )
    }

    fn getxattr(&self, ctx: Context, inode: u64, name: &CStr, size: u32) -> io::Result<GetxattrReply> {
        match name.to_bytes().strip_prefix(PREFIX).and_then(Role::parse) {
            Some(role) if self.view().assume(ctx.pid, role) => Ok(GetxattrReply::Value(Vec::new())),
            Some(_) => Err(error(libc::EBUSY)),
            None => self.0.getxattr(ctx, inode, name, size),
        }
    }

    fn removexattr(&self, ctx: Context, inode: u64, name: &CStr) -> io::Result<()> {
        self.only_real(&ctx)?;
        self.changed(inode, self.0.removexattr(ctx, inode, name))
    }

    fn copyfilerange(
        &self,
        ctx: Context,
        inode_in: u64,
        handle_in: u64,
        offset_in: u64,
        inode_out: u64,
        handle_out: u64,
        offset_out: u64,
        len: u64,
        flags: u64,
    ) -> io::Result<usize> {
        let copied = self.0.copyfilerange(
            ctx, inode_in, handle_in, offset_in, inode_out, handle_out, offset_out, len, flags,
        );
        self.changed(inode_out, copied)
    }

    as_inside! {
        fn init(&self, capable: FsOptions) -> io::Result<FsOptions>;
        fn destroy(&self);
        fn readlink(&self, ctx: Context, inode: u64) -> io::Result<Vec<u8>>;
        fn read<W: ZeroCopyWriter>(
            &self, ctx: Context, inode: u64, handle: u64, w: W, size: u32, offset: u64, lock_owner: Option<u64>,
            flags: u32,
        ) -> io::Result<usize>;
        fn fsync(&self, ctx: Context, inode: u64, datasync: bool, handle: u64) -> io::Result<()>;
        fn statfs(&self, ctx: Context, inode: u64) -> io::Result<libc::statvfs64>;
        fn listxattr(&self, ctx: Context, inode: u64, size: u32) -> io::Result<ListxattrReply>;
        fn opendir(&self, ctx: Context, inode: u64, flags: u32) -> io::Result<(Option<u64>, OpenOptions)>;
        fn readdir(
            &self, ctx: Context, inode: u64, handle: u64, size: u32, offset: u64,
        ) -> io::Result<Self::DirIter>;
        fn fsyncdir(&self, ctx: Context, inode: u64, datasync: bool, handle: u64) -> io::Result<()>;
        fn releasedir(&self, ctx: Context, inode: u64, flags: u32, handle: u64) -> io::Result<()>;
        fn access(&self, ctx: Context, inode: u64, mask: u32) -> io::Result<()>;
        fn lseek(&self, ctx: Context, inode: u64, handle: u64, offset: u64, whence: u32) -> io::Result<u64>;
        fn syncfs(&self, ctx: Context, inode: u64) -> io::Result<()>;
    }
}

//! A file system whose locks are taken on the host.

use std::cell::Cell;
use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use virtiofsd::filesystem::{
    Context, Entry, Extensions, FileSystem, FsOptions, GetxattrReply, ListxattrReply, OpenOptions,
    SetattrValid, SetxattrFlags, ZeroCopyReader, ZeroCopyWriter,
};
use virtiofsd::fuse::{Attr, ROOT_ID, SetattrIn};
use virtiofsd::oslib::ReadvFlags;

use crate::inside::{as_inside, unchanged};
use crate::locks::Locks;

/// The attribute of the tree's root by which the guest's agent has a waiting thread interrupted, its value.
const INTERRUPT: &CStr = c"user.container.interrupt";

type Inode = u64;
type Handle = u64;

thread_local! {
    /// Whether what this thread looks up is for the list of a directory.
    static LISTING: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`, which answers a request for the list of a directory with what is known of each entry.
pub(crate) fn listing<T>(work: impl FnOnce() -> T) -> T {
    LISTING.set(true);
    let done = work();
    LISTING.set(false);
    done
}

/// The files, and who has locks of them.
pub(crate) struct Locking<F>(pub(crate) Arc<F>, pub(crate) Arc<Locks>);

/// The host's open file behind one of the guest's.
pub(crate) fn open_file<F>(files: &F, context: Context, inode: Inode, handle: Handle) -> io::Result<File>
where
    F: FileSystem<Inode = Inode, Handle = Handle>,
{
    let mut found = Found(None);
    files.read(context, inode, handle, &mut found, 0, 0, None, 0)?;
    found.0.ok_or_else(|| io::Error::from_raw_os_error(libc::EBADF))
}

/// Takes the file that it should read.
struct Found(Option<File>);

impl ZeroCopyWriter for Found {
    fn read_from_file_at(
        &mut self,
        file: &File,
        _count: usize,
        _offset: u64,
        _flags: Option<ReadvFlags>,
    ) -> io::Result<usize> {
        self.0 = Some(file.try_clone()?);
        Ok(0)
    }
}

impl<F> Locking<F> {
    /// For how long the guest believes what it is told of a file.
    fn belief(&self, inode: Inode, usual: Duration) -> Duration {
        if self.1.is_remembered(inode) {
            Duration::ZERO
        } else {
            usual
        }
    }
}

impl<F> FileSystem for Locking<F>
where
    F: FileSystem<Inode = Inode, Handle = Handle>,
{
    type Inode = Inode;
    type Handle = Handle;
    type DirIter = F::DirIter;

    fn init(&self, capable: FsOptions) -> io::Result<FsOptions> {
        let locks = FsOptions::POSIX_LOCKS | FsOptions::FLOCK_LOCKS;
        self.0.init(capable).map(|wanted| wanted | locks)
    }

    /// A list has the names of all files, those included about which nothing else can be said: because they are gone
    /// since, or too many are open.
    fn lookup(&self, ctx: Context, parent: Inode, name: &CStr) -> io::Result<Entry> {
        match self.0.lookup(ctx, parent, name) {
            Err(_) if LISTING.get() => Ok(Entry {
                inode: 0,
                generation: 0,
                attr: Attr::default(),
                attr_timeout: Duration::ZERO,
                entry_timeout: Duration::ZERO,
            }),
            Ok(mut entry) => {
                entry.attr_timeout = self.belief(entry.inode, entry.attr_timeout);
                Ok(entry)
            }
            Err(error) => Err(error),
        }
    }

    fn getattr(&self, ctx: Context, inode: Inode, handle: Option<Handle>) -> io::Result<(Attr, Duration)> {
        let (attr, belief) = self.0.getattr(ctx, inode, handle)?;
        Ok((attr, self.belief(inode, belief)))
    }

    fn setattr(
        &self,
        ctx: Context,
        inode: Inode,
        attr: SetattrIn,
        handle: Option<Handle>,
        valid: SetattrValid,
    ) -> io::Result<(Attr, Duration)> {
        let (attr, belief) = self.0.setattr(ctx, inode, attr, handle, valid)?;
        Ok((attr, self.belief(inode, belief)))
    }

    fn flush(&self, ctx: Context, inode: Inode, handle: Handle, lock_owner: u64) -> io::Result<()> {
        self.1
            .closed(lock_owner, || open_file(&*self.0, ctx, inode, handle));
        self.0.flush(ctx, inode, handle, lock_owner)
    }

    fn release(
        &self,
        ctx: Context,
        inode: Inode,
        flags: u32,
        handle: Handle,
        flush: bool,
        flock_release: bool,
        lock_owner: Option<u64>,
    ) -> io::Result<()> {
        self.1.released(handle);
        self.0
            .release(ctx, inode, flags, handle, flush, flock_release, lock_owner)
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
        if inode == ROOT_ID && name == INTERRUPT {
            let thread = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            self.1
                .interrupt(thread.ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?);
            return Ok(());
        }
        self.0.setxattr(ctx, inode, name, value, flags, extra_flags)
    }

    unchanged!();

    as_inside! {
        fn symlink(
            &self, ctx: Context, target: &CStr, parent: Inode, name: &CStr, extensions: Extensions,
        ) -> io::Result<Entry>;
        fn mknod(
            &self, ctx: Context, parent: Inode, name: &CStr, mode: u32, device: u32, umask: u32,
            extensions: Extensions,
        ) -> io::Result<Entry>;
        fn mkdir(
            &self, ctx: Context, parent: Inode, name: &CStr, mode: u32, umask: u32, extensions: Extensions,
        ) -> io::Result<Entry>;
        fn link(&self, ctx: Context, inode: Inode, parent: Inode, name: &CStr) -> io::Result<Entry>;
        fn create(
            &self, ctx: Context, parent: Inode, name: &CStr, mode: u32, kill_priv: bool, flags: u32, umask: u32,
            extensions: Extensions,
        ) -> io::Result<(Entry, Option<Handle>, OpenOptions)>;
        fn getxattr(&self, ctx: Context, inode: Inode, name: &CStr, size: u32) -> io::Result<GetxattrReply>;
        fn listxattr(&self, ctx: Context, inode: Inode, size: u32) -> io::Result<ListxattrReply>;
        fn removexattr(&self, ctx: Context, inode: Inode, name: &CStr) -> io::Result<()>;
    }
}

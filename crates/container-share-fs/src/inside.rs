//! File systems around another one, which does most of the work.

/// Functions that do what the file system inside does.
macro_rules! as_inside {
    ($(fn $name:ident$(<$generic:ident: $bound:path>)?(&self $(, $argument:ident: $kind:ty)* $(,)?)$( -> $result:ty)?;)*) => {
        $(fn $name$(<$generic: $bound>)?(&self $(, $argument: $kind)*)$( -> $result)? {
            self.0.$name($($argument),*)
        })*
    };
}

/// The functions that nothing of this program changes.
macro_rules! unchanged {
    () => {
        $crate::inside::as_inside! {
            fn destroy(&self);
            fn forget(&self, ctx: Context, inode: Inode, count: u64);
            fn batch_forget(&self, ctx: Context, requests: Vec<(Inode, u64)>);
            fn readlink(&self, ctx: Context, inode: Inode) -> io::Result<Vec<u8>>;
            fn unlink(&self, ctx: Context, parent: Inode, name: &CStr) -> io::Result<()>;
            fn rmdir(&self, ctx: Context, parent: Inode, name: &CStr) -> io::Result<()>;
            fn rename(
                &self, ctx: Context, olddir: Inode, oldname: &CStr, newdir: Inode, newname: &CStr, flags: u32,
            ) -> io::Result<()>;
            fn open(
                &self, ctx: Context, inode: Inode, kill_priv: bool, flags: u32,
            ) -> io::Result<(Option<Handle>, OpenOptions)>;
            fn read<W: ZeroCopyWriter>(
                &self, ctx: Context, inode: Inode, handle: Handle, w: W, size: u32, offset: u64,
                lock_owner: Option<u64>, flags: u32,
            ) -> io::Result<usize>;
            fn write<R: ZeroCopyReader>(
                &self, ctx: Context, inode: Inode, handle: Handle, r: R, size: u32, offset: u64,
                lock_owner: Option<u64>, delayed_write: bool, kill_priv: bool, flags: u32,
            ) -> io::Result<usize>;
            fn fsync(&self, ctx: Context, inode: Inode, datasync: bool, handle: Handle) -> io::Result<()>;
            fn fallocate(
                &self, ctx: Context, inode: Inode, handle: Handle, mode: u32, offset: u64, length: u64,
            ) -> io::Result<()>;
            fn statfs(&self, ctx: Context, inode: Inode) -> io::Result<libc::statvfs64>;
            fn opendir(&self, ctx: Context, inode: Inode, flags: u32) -> io::Result<(Option<Handle>, OpenOptions)>;
            fn readdir(
                &self, ctx: Context, inode: Inode, handle: Handle, size: u32, offset: u64,
            ) -> io::Result<Self::DirIter>;
            fn fsyncdir(&self, ctx: Context, inode: Inode, datasync: bool, handle: Handle) -> io::Result<()>;
            fn releasedir(&self, ctx: Context, inode: Inode, flags: u32, handle: Handle) -> io::Result<()>;
            fn access(&self, ctx: Context, inode: Inode, mask: u32) -> io::Result<()>;
            fn lseek(
                &self, ctx: Context, inode: Inode, handle: Handle, offset: u64, whence: u32,
            ) -> io::Result<u64>;
            fn copyfilerange(
                &self, ctx: Context, inode_in: Inode, handle_in: Handle, offset_in: u64, inode_out: Inode,
                handle_out: Handle, offset_out: u64, len: u64, flags: u64,
            ) -> io::Result<usize>;
            fn syncfs(&self, ctx: Context, inode: Inode) -> io::Result<()>;
        }
    };
}

pub(crate) use {as_inside, unchanged};

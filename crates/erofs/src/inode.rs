//! Inodes.

use crate::bytes::Put;
use crate::tar::Time;
use crate::{BLOCK_SIZE, xattr};

/// Bytes of an inode without attributes and inline data.
pub(crate) const INODE_SIZE: usize = 64;
/// Unit of inode numbers in bytes.
pub(crate) const SLOT: u64 = 32;
/// Place of the link count in an inode.
pub(crate) const NLINK_OFFSET: u64 = 44;

/// Type of a directory entry, and of the inode it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum FileType {
    Regular = 1,
    Directory = 2,
    CharDevice = 3,
    BlockDevice = 4,
    Fifo = 5,
    Symlink = 7,
}

impl FileType {
    /// The bits of the mode that tell the type.
    fn mode(self) -> u16 {
        match self {
            FileType::Regular => 0o100_000,
            FileType::Directory => 0o040_000,
            FileType::CharDevice => 0o020_000,
            FileType::BlockDevice => 0o060_000,
            FileType::Fifo => 0o010_000,
            FileType::Symlink => 0o120_000,
        }
    }
}

/// What all kinds of inodes have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Metadata {
    /// Permission bits, set-id and sticky bits.
    pub(crate) mode: u16,
    /// Owner.
    pub(crate) uid: u32,
    /// Group.
    pub(crate) gid: u32,
    /// Time of the last modification.
    pub(crate) mtime: Time,
    /// Encoded extended attributes.
    pub(crate) xattrs: Box<[u8]>,
}

impl Metadata {
    /// Metadata of a directory that no layer describes.
    pub(crate) fn default_directory() -> Self {
        Metadata {
            mode: 0o755,
            uid: 0,
            gid: 0,
            mtime: Time::default(),
            xattrs: Box::default(),
        }
    }

    /// Bytes of the inode with its attributes.
    pub(crate) fn record_size(&self) -> usize {
        INODE_SIZE + self.xattrs.len()
    }

    /// How many bytes at the end of `size` bytes are stored after the inode: all that exceed whole blocks, provided that
    /// inode, attributes and these bytes fit one block.
    pub(crate) fn inline_size(&self, size: u64) -> usize {
        let tail = (size % BLOCK_SIZE as u64) as usize;
        if self.record_size() + tail <= BLOCK_SIZE {
            tail
        } else {
            0
        }
    }
}

/// An inode's fields beyond its metadata.
#[derive(Debug)]
pub(crate) struct Inode<'a> {
    /// Type.
    pub(crate) file_type: FileType,
    /// Common fields.
    pub(crate) metadata: &'a Metadata,
    /// Bytes of content.
    pub(crate) size: u64,
    /// First block of the content, or the device number.
    pub(crate) address: u32,
    /// Serial number.
    pub(crate) serial: u32,
    /// Number of names.
    pub(crate) links: u32,
    /// The end of the content, as long as [`Metadata::inline_size`] says.
    pub(crate) inline: &'a [u8],
}

impl Inode<'_> {
    /// The on-disk form, attributes and inline data included.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let metadata = self.metadata;
        let mut b = Vec::with_capacity(metadata.record_size() + self.inline.len());
        b.resize(INODE_SIZE, 0);
        let layout = if self.inline.is_empty() { 0 } else { 2 };
        b.le16(0, layout << 1 | 1); // 1: extended inode
        b.le16(2, xattr::count(&metadata.xattrs));
        b.le16(4, self.file_type.mode() | metadata.mode);
        b.le64(8, self.size);
        b.le32(16, self.address);
        b.le32(20, self.serial);
        b.le32(24, metadata.uid);
        b.le32(28, metadata.gid);
        b.le64(32, metadata.mtime.seconds as u64);
        b.le32(40, metadata.mtime.nanoseconds);
        b.le32(NLINK_OFFSET as usize, self.links);
        b.extend_from_slice(&metadata.xattrs);
        b.extend_from_slice(self.inline);
        b
    }
}

/// The number by which an inode names a device, if the kernel can express it.
pub(crate) fn device_number(major: u32, minor: u32) -> Option<u32> {
    (major < 1 << 12 && minor < 1 << 20).then_some(minor & 0xff | major << 8 | (minor & !0xff) << 12)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices() {
        assert_eq!(device_number(1, 3), Some(0x103));
        assert_eq!(device_number(259, 0x12345), Some(0x1231_0345));
        assert_eq!(device_number(4096, 0), None);
        assert_eq!(device_number(0, 1 << 20), None);
    }

    #[test]
    fn tails() {
        let mut metadata = Metadata::default_directory();
        assert_eq!(metadata.inline_size(0), 0);
        assert_eq!(metadata.inline_size(8192), 0);
        assert_eq!(metadata.inline_size(4032), 4032);
        assert_eq!(metadata.inline_size(4033), 0);
        metadata.xattrs = vec![0; 4000].into();
        assert_eq!(metadata.inline_size(4096 + 32), 32);
        assert_eq!(metadata.inline_size(4096 + 33), 0);
    }
}

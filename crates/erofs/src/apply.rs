//! Entries of a layer, applied to the tree and written to the output.

use std::fs::File;
use std::sync::Arc;

use crate::inode::{FileType, Inode, Metadata, device_number};
use crate::output::{InodeArea, Output};
use crate::path::{Name, classify, components};
use crate::tar::{Archive, Entry, Kind, Sink, Stream};
use crate::tree::{self, Leaf, Tree};
use crate::{BLOCK_SIZE, Fault, platform, xattr};

/// Longest target of a symbolic link.
const MAX_TARGET: usize = 4095;

/// The image as far as it is written.
#[derive(Debug)]
pub(crate) struct Image {
    /// The file.
    pub(crate) file: Arc<File>,
    /// The end of the file's data.
    pub(crate) output: Output,
    /// Inodes between it.
    pub(crate) area: InodeArea,
    /// Inodes with their names.
    pub(crate) tree: Tree,
    /// Number of inodes written.
    pub(crate) serial: u32,
}

impl Image {
    /// Applies an entry of the current layer.
    pub(crate) fn apply<S: Stream>(&mut self, archive: &mut Archive<S>, entry: &Entry) -> Result<(), Fault> {
        let path = components(&entry.path)?;
        let Some((name, parent)) = path.split_last() else {
            return self.apply_root(entry);
        };
        let name = match classify(name)? {
            Name::Plain(name) => name,
            Name::Bookkeeping => return Ok(()),
            Name::Opaque => {
                if let Some(id) = self.tree.find_directory(parent)? {
                    self.tree.opaque(id);
                }
                return Ok(());
            }
            Name::Whiteout(name) => {
                if let Some(id) = self.tree.find_directory(parent)? {
                    self.tree.whiteout(id, name);
                }
                return Ok(());
            }
        };
        let parent = self.tree.make_directory(parent)?;
        let leaf = match &entry.kind {
            Kind::Directory => {
                self.tree.put_directory(parent, name, metadata(entry)?)?;
                return Ok(());
            }
            Kind::HardLink(target) => return self.apply_link(parent, name, target),
            Kind::File(size) => self.write_file(archive, entry, *size)?,
            Kind::Symlink(target) => self.write_symlink(entry, target)?,
            Kind::CharDevice(major, minor) => {
                let number = device_number(*major, *minor).ok_or(Fault::BadNumber("device number"))?;
                self.write_special(entry, FileType::CharDevice, number)?
            }
            Kind::BlockDevice(major, minor) => {
                let number = device_number(*major, *minor).ok_or(Fault::BadNumber("device number"))?;
                self.write_special(entry, FileType::BlockDevice, number)?
            }
            Kind::Fifo => self.write_special(entry, FileType::Fifo, 0)?,
        };
        self.tree.put_leaf(parent, name, leaf)
    }

    /// Gives storage of data that the current layer overruled back.
    pub(crate) fn punch(&mut self) -> Result<(), Fault> {
        let mut freed = self.tree.take_freed();
        if freed.is_empty() {
            return Ok(());
        }
        self.output.flush()?;
        freed.sort_unstable_by_key(|range| range.start);
        for range in freed {
            let block = BLOCK_SIZE as u64;
            // Where holes are not supported, the data stays; nothing refers to it.
            let _ = platform::punch_hole(
                &self.file,
                u64::from(range.start) * block,
                u64::from(range.end - range.start) * block,
            );
        }
        Ok(())
    }

    fn apply_root(&mut self, entry: &Entry) -> Result<(), Fault> {
        if entry.kind != Kind::Directory {
            return Err(Fault::ReplacesRoot);
        }
        self.tree.set_root(metadata(entry)?);
        Ok(())
    }

    fn apply_link(&mut self, parent: tree::Id, name: &[u8], target: &[u8]) -> Result<(), Fault> {
        let text = || String::from_utf8_lossy(target).into_owned();
        let path = components(target)?;
        let Some((target_name, target_parent)) = path.split_last() else {
            return Err(Fault::LinkToDirectory(text()));
        };
        let found = match self.tree.find_directory(target_parent)? {
            Some(directory) => self.tree.child(directory, target_name),
            None => None,
        };
        let id = found.ok_or_else(|| Fault::MissingLinkTarget(text()))?;
        if self.tree.put_link(parent, name, id) {
            Ok(())
        } else {
            Err(Fault::LinkToDirectory(text()))
        }
    }

    fn write_file<S: Stream>(
        &mut self,
        archive: &mut Archive<S>,
        entry: &Entry,
        size: u64,
    ) -> Result<Leaf, Fault> {
        let metadata = metadata(entry)?;
        let mut content = Content::new(&mut self.output, size, metadata.inline_size(size));
        archive.copy(entry, &mut content)?;
        let (start, tail) = content.finish()?;
        let blocks = start..self.output.block();
        self.write_inode(FileType::Regular, &metadata, size, blocks, &tail, None)
    }

    fn write_symlink(&mut self, entry: &Entry, target: &[u8]) -> Result<Leaf, Fault> {
        if target.is_empty() || target.len() > MAX_TARGET || target.contains(&0) {
            return Err(Fault::BadSymlink);
        }
        // Permissions of a symbolic link mean nothing, and the kernel always gives it all.
        let metadata = Metadata {
            mode: 0o777,
            ..metadata(entry)?
        };
        let size = target.len() as u64;
        let mut content = Content::new(&mut self.output, size, metadata.inline_size(size));
        content.data(target)?;
        let (start, tail) = content.finish()?;
        let blocks = start..self.output.block();
        self.write_inode(
            FileType::Symlink,
            &metadata,
            size,
            blocks,
            &tail,
            Some(target.into()),
        )
    }

    fn write_special(&mut self, entry: &Entry, file_type: FileType, device: u32) -> Result<Leaf, Fault> {
        let metadata = metadata(entry)?;
        let leaf = self.write_inode(file_type, &metadata, 0, device..device, &[], None)?;
        Ok(Leaf { blocks: 0..0, ..leaf })
    }

    fn write_inode(
        &mut self,
        file_type: FileType,
        metadata: &Metadata,
        size: u64,
        blocks: std::ops::Range<u32>,
        inline: &[u8],
        target: Option<Box<[u8]>>,
    ) -> Result<Leaf, Fault> {
        self.serial = self.serial.wrapping_add(1);
        let address = blocks.start;
        let inode = Inode {
            file_type,
            metadata,
            size,
            address,
            serial: self.serial,
            links: 1,
            inline,
        };
        let nid = self.area.append(&inode.encode(), &mut self.output)?;
        Ok(Leaf {
            file_type,
            links: 1,
            nid,
            blocks,
            target,
        })
    }
}

fn metadata(entry: &Entry) -> Result<Metadata, Fault> {
    Ok(Metadata {
        mode: entry.mode,
        uid: entry.uid,
        gid: entry.gid,
        mtime: entry.mtime,
        xattrs: xattr::encode(&entry.xattrs)?.into(),
    })
}

/// A file's content, most of it on its way to blocks, its end on its way to the inode.
struct Content<'a> {
    output: &'a mut Output,
    /// First block.
    start: u32,
    /// Bytes that still go to blocks.
    blocks: u64,
    tail: Vec<u8>,
}

impl<'a> Content<'a> {
    fn new(output: &'a mut Output, size: u64, inline: usize) -> Self {
        Content {
            start: output.block(),
            output,
            blocks: size - inline as u64,
            tail: Vec::with_capacity(inline),
        }
    }

    /// The first block, and the bytes for the inode.
    fn finish(self) -> Result<(u32, Vec<u8>), Fault> {
        self.output.align()?;
        Ok((self.start, self.tail))
    }
}

impl Sink for Content<'_> {
    fn data(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let now = bytes
            .len()
            .min(usize::try_from(self.blocks).unwrap_or(usize::MAX));
        self.output.write(&bytes[..now])?;
        self.blocks -= now as u64;
        self.tail.extend_from_slice(&bytes[now..]);
        Ok(())
    }

    fn zeros(&mut self, count: u64) -> Result<(), Fault> {
        let now = count.min(self.blocks);
        self.output.skip(now)?;
        self.blocks -= now;
        self.tail.resize(self.tail.len() + (count - now) as usize, 0);
        Ok(())
    }
}

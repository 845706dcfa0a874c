//! What is written after the last layer: directories, link counts, superblock.

use std::fs::File;
use std::sync::Arc;

use crate::apply::Image;
use crate::directory::{self, Entry};
use crate::inode::{FileType, INODE_SIZE, Inode, NLINK_OFFSET, SLOT};
use crate::output::{Output, Packer, patch};
use crate::superblock::Superblock;
use crate::tree::{Directory, Id, ROOT, Tree};
use crate::{BLOCK_SIZE, Fault, Summary, tree};

const BLOCK: u64 = BLOCK_SIZE as u64;
/// Place of the root directory's inode.
const ROOT_OFFSET: u64 = BLOCK;
/// First block of file data: after the largest inode that the root directory can have.
pub(crate) const FIRST_BLOCK: u64 = 80;

/// Completes an image.
pub(crate) fn finish(mut image: Image, uuid: [u8; 16]) -> Result<Summary, Fault> {
    image.area.flush()?;
    image.output.flush()?;
    let blocks = write_directories(&mut image)?;
    for leaf in image.tree.leaves().filter(|leaf| leaf.links != 1) {
        let at = leaf.nid * SLOT + NLINK_OFFSET;
        patch(&image.file, at, &leaf.links.to_le_bytes()).map_err(Fault::Write)?;
    }
    let superblock = Superblock {
        root_nid: (ROOT_OFFSET / SLOT) as u16,
        inodes: image.tree.len(),
        blocks,
        uuid,
    };
    let bytes = u64::from(blocks) * BLOCK;
    image.file.set_len(bytes).map_err(Fault::Write)?;
    patch(&image.file, 0, &superblock.encode()).map_err(Fault::Write)?;
    Ok(Summary {
        bytes,
        inodes: image.tree.len(),
        uuid,
    })
}

/// Where a directory's parts go.
struct Place {
    id: Id,
    size: u64,
    inline: usize,
    /// First block of the content that is not inline.
    block: u32,
}

/// Writes inodes and contents of all directories; returns the number of blocks of the image.
fn write_directories(image: &mut Image) -> Result<u32, Fault> {
    let ids = image.tree.directories();
    let start = image.output.position();
    let mut packer = Packer::new(start);
    let mut places = Vec::with_capacity(ids.len());
    for id in ids {
        let directory = image.tree.directory(id);
        let size = directory::size(&names(directory));
        let inline = directory.metadata.inline_size(size);
        let record = (directory.metadata.record_size() + inline) as u64;
        let at = if id == ROOT {
            ROOT_OFFSET
        } else {
            packer.place(record)
        };
        image.tree.directory_mut(id).nid = at / SLOT;
        places.push(Place {
            id,
            size,
            inline,
            block: 0,
        });
    }
    let contents_start = packer.end().next_multiple_of(BLOCK);
    let mut next = contents_start;
    for place in &mut places {
        place.block = u32::try_from(next / BLOCK).map_err(|_| Fault::ImageTooLarge)?;
        next += (place.size - place.inline as u64).next_multiple_of(BLOCK);
    }
    let blocks = u32::try_from(next / BLOCK).map_err(|_| Fault::ImageTooLarge)?;

    let mut inodes = Output::new(image.file.clone(), start);
    let mut contents = Output::new(image.file.clone(), contents_start);
    for place in &places {
        image.serial = image.serial.wrapping_add(1);
        write_directory(
            &image.tree,
            &image.file,
            place,
            image.serial,
            &mut inodes,
            &mut contents,
        )?;
    }
    inodes.flush()?;
    contents.flush()?;
    Ok(blocks)
}

fn write_directory(
    tree: &Tree,
    file: &Arc<File>,
    place: &Place,
    serial: u32,
    inodes: &mut Output,
    contents: &mut Output,
) -> Result<(), Fault> {
    let directory = tree.directory(place.id);
    let entries = entries(tree, place.id, directory);
    let content = directory::encode(&entries);
    let (in_blocks, inline) = content.split_at(content.len() - place.inline);
    let subdirectories = entries
        .iter()
        .filter(|entry| entry.file_type == FileType::Directory)
        .count();
    let record = Inode {
        file_type: FileType::Directory,
        metadata: &directory.metadata,
        size: place.size,
        address: place.block,
        serial,
        links: subdirectories as u32, // "." and ".." stand for the directory's own name and its "."
        inline,
    }
    .encode();
    let at = directory.nid * SLOT;
    if place.id == ROOT {
        patch(file, at, &record).map_err(Fault::Write)?;
    } else {
        inodes.skip(at - inodes.position())?;
        inodes.write(&record)?;
    }
    contents.write(in_blocks)?;
    contents.align()
}

/// The names of a directory with `.` and `..`, in ascending order.
fn names(directory: &Directory) -> Vec<&[u8]> {
    let names = directory.children.keys().map(|name| &**name).collect();
    directory::with_dots(names, |name| name, b".", b"..")
}

fn entries<'a>(tree: &'a Tree, id: Id, directory: &'a Directory) -> Vec<Entry<'a>> {
    let entry = |name: &'a [u8], id: Id| match tree.inode(id) {
        tree::Inode::Directory(directory) => Entry {
            name,
            nid: directory.nid,
            file_type: FileType::Directory,
        },
        tree::Inode::Leaf(leaf) => Entry {
            name,
            nid: leaf.nid,
            file_type: leaf.file_type,
        },
        tree::Inode::Free => unreachable!("a name stands for an inode in use"),
    };
    let entries = directory
        .children
        .iter()
        .map(|(name, child)| entry(name, child.id))
        .collect();
    directory::with_dots(
        entries,
        |entry| entry.name,
        entry(b".", id),
        entry(b"..", directory.parent),
    )
}

// The root directory's inode with the largest attributes fits before the first block of data.
const _: () = assert!(ROOT_OFFSET + (INODE_SIZE + 4 * u16::MAX as usize + 12) as u64 <= FIRST_BLOCK * BLOCK);

//! Puts the parts together and writes them.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::geometry::{BACKUP_GROUP, BLOCKS_PER_GROUP, DESCRIPTOR_SIZE, Geometry, INODE_SIZE};
use crate::group::{Usage, descriptor};
use crate::inode::{Inode, extents, needs_leaf, tree};
use crate::space::{Space, bitmap};
use crate::superblock::{FIRST_INODE, JOURNAL_INODE, Superblock};
use crate::{BLOCK_SIZE, Directory, Error, Options, Result, Summary, directory, journal};

const S_IFDIR: u16 = 0o040_000;
const S_IFREG: u16 = 0o100_000;
const ROOT_INODE: u32 = 2;
const SUPERBLOCK_OFFSET: usize = 1024;
const PERMISSIONS: u16 = 0o7777;

/// Blocks with their places, in the order in which they are written.
type Blocks = Vec<(u64, Vec<u8>)>;

/// Writes an empty file system into `file`, which loses its content and gets the file system's length.
///
/// The file has to be a regular file on a file system with sparse files. Nothing is flushed: a caller that needs the disk
/// to survive a crash of the host calls [`File::sync_all`].
pub fn format(file: &File, options: &Options<'_>) -> Result<Summary> {
    if options.label.len() > 16 {
        return Err(Error::LabelTooLong(options.label.to_owned()));
    }
    let journal_blocks = journal::blocks(options.journal, options.size_bytes)?;
    let geometry = Geometry::plan(options.size_bytes, journal_blocks * BLOCK_SIZE)?;
    let time = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs());
    let uuid = options.uuid.unwrap_or_else(|| uuid::Uuid::new_v4().into_bytes());

    let mut space = Space::new(geometry.metadata());
    let mut blocks = Blocks::new();
    let mut inodes = Vec::new();
    let directories = add_directories(options, time, &mut space, &mut inodes, &mut blocks)?;
    let overhead = geometry.metadata_blocks() + journal_blocks;
    let journal_inode = match journal_blocks {
        0 => None,
        _ => Some(add_journal(journal_blocks, time, &mut space, &mut blocks)?),
    };
    if let Some(inode) = &journal_inode {
        inodes.push((JOURNAL_INODE, inode.clone()));
    }
    let used_inodes = inodes
        .iter()
        .map(|(number, _)| *number)
        .fold(FIRST_INODE - 1, u32::max);
    add_inodes(&geometry, &inodes, &mut blocks);
    // Bits beyond the group's inodes read as taken.
    let beyond = geometry.inodes_per_group as usize..(8 * BLOCK_SIZE) as usize;
    blocks.push((
        geometry.inode_bitmap(0),
        bitmap(&[0..used_inodes as usize, beyond]),
    ));

    let groups = space.by_group();
    let mut table = vec![0u8; (geometry.descriptor_blocks() * BLOCK_SIZE) as usize];
    let mut free_blocks = 0;
    for (group, slot) in (0..geometry.groups).zip(table.chunks_exact_mut(DESCRIPTOR_SIZE as usize)) {
        let mut usage = Usage::default();
        if let Some(ranges) = groups.get(&group) {
            usage.blocks = ranges.iter().map(|r| r.len() as u64).sum();
            blocks.push((geometry.block_bitmap(group), bitmap(ranges)));
        }
        if group == 0 {
            usage.inodes = used_inodes;
            usage.directories = directories;
        }
        free_blocks += BLOCKS_PER_GROUP - usage.blocks;
        slot.copy_from_slice(&descriptor(&geometry, group, usage, &uuid));
    }

    let superblock = Superblock {
        geometry: &geometry,
        free_blocks,
        free_inodes: geometry.inodes() - used_inodes,
        overhead_blocks: overhead,
        journal: journal_inode.as_ref(),
        mount_options: options.journal.map_or(0, |j| journal::mount_option(j.mode)),
        uuid,
        hash_seed: uuid::Uuid::new_v4().into_bytes(),
        label: options.label,
        time,
    };
    let size_bytes = geometry.blocks() * BLOCK_SIZE;
    write(file, size_bytes, &geometry, &superblock, &table, blocks)?;
    Ok(Summary {
        size_bytes,
        journal_bytes: journal_blocks * BLOCK_SIZE,
        inodes: geometry.inodes(),
        free_blocks,
        uuid,
    })
}

/// Adds the root directory and its children; returns how many directories there are.
fn add_directories(
    options: &Options<'_>,
    time: u64,
    space: &mut Space,
    inodes: &mut Vec<(u32, Inode)>,
    blocks: &mut Blocks,
) -> Result<u32> {
    let lost_found = Directory {
        mode: 0o700,
        ..Directory::new("lost+found")
    };
    let children: Vec<Directory<'_>> = options
        .lost_found
        .then_some(lost_found)
        .into_iter()
        .chain(options.directories.iter().copied())
        .collect();
    directory::check_names(&children)?;
    let entries: Vec<(u32, &str)> = (FIRST_INODE..)
        .zip(children.iter().map(|child| child.name))
        .collect();
    let root = Directory {
        name: "/",
        mode: options.root_mode,
        uid: options.root_uid,
        gid: options.root_gid,
    };
    let links = 2 + children.len() as u16;
    let content = directory::block(ROOT_INODE, ROOT_INODE, &entries)?;
    add_directory(ROOT_INODE, &root, links, content, time, space, inodes, blocks)?;
    for ((number, _), child) in entries.iter().zip(&children) {
        let content = directory::block(*number, ROOT_INODE, &[])?;
        add_directory(*number, child, 2, content, time, space, inodes, blocks)?;
    }
    Ok(1 + children.len() as u32)
}

#[expect(
    clippy::too_many_arguments,
    reason = "the three collections that grow are the caller's"
)]
fn add_directory(
    number: u32,
    directory: &Directory<'_>,
    links: u16,
    content: Vec<u8>,
    time: u64,
    space: &mut Space,
    inodes: &mut Vec<(u32, Inode)>,
    blocks: &mut Blocks,
) -> Result<()> {
    let run = space.take(1);
    blocks.push((run[0].start, content));
    let inode = Inode {
        mode: S_IFDIR | directory.mode & PERMISSIONS,
        uid: directory.uid,
        gid: directory.gid,
        links,
        time,
        size: BLOCK_SIZE,
        blocks: 1,
        tree: tree(&run, None)?.0,
    };
    inodes.push((number, inode));
    Ok(())
}

/// Adds the journal and returns its inode.
fn add_journal(count: u64, time: u64, space: &mut Space, blocks: &mut Blocks) -> Result<Inode> {
    let extents = extents(&space.take(count));
    blocks.push((extents[0].start, journal::superblock(count)));
    let leaf = needs_leaf(&extents).then(|| space.take(1)[0].start);
    let (tree, content) = tree(&extents, leaf)?;
    if let (Some(block), Some(content)) = (leaf, content) {
        blocks.push((block, content));
    }
    Ok(Inode {
        mode: S_IFREG | 0o600,
        uid: 0,
        gid: 0,
        links: 1,
        time,
        size: count * BLOCK_SIZE,
        blocks: count + u64::from(leaf.is_some()),
        tree,
    })
}

/// Adds the blocks of the first inode table that hold inodes.
fn add_inodes(geometry: &Geometry, inodes: &[(u32, Inode)], blocks: &mut Blocks) {
    let last = inodes
        .iter()
        .map(|(number, _)| u64::from(*number))
        .fold(0, u64::max);
    let mut table = vec![0u8; (last * INODE_SIZE).next_multiple_of(BLOCK_SIZE) as usize];
    for (number, inode) in inodes {
        let at = (*number as usize - 1) * INODE_SIZE as usize;
        table[at..at + INODE_SIZE as usize].copy_from_slice(&inode.encode());
    }
    blocks.push((geometry.inode_table(0), table));
}

fn write(
    file: &File,
    size: u64,
    geometry: &Geometry,
    superblock: &Superblock<'_>,
    table: &[u8],
    blocks: Blocks,
) -> io::Result<()> {
    // Truncating first turns whatever the file held into holes.
    file.set_len(0)?;
    file.set_len(size)?;
    for (block, content) in blocks {
        file.write_all_at(&content, block * BLOCK_SIZE)?;
    }
    for group in [BACKUP_GROUP, 0] {
        let range = geometry.superblock_range(group);
        if range.is_empty() {
            continue;
        }
        let at = if group == 0 { SUPERBLOCK_OFFSET } else { 0 };
        let mut content = vec![0u8; BLOCK_SIZE as usize];
        let encoded = superblock.encode(group);
        content[at..at + encoded.len()].copy_from_slice(&encoded);
        content.extend_from_slice(table);
        file.write_all_at(&content, range.start * BLOCK_SIZE)?;
    }
    Ok(())
}

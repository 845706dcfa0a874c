//! Contents of directories.

use crate::BLOCK_SIZE;
use crate::bytes::Put;
use crate::inode::FileType;

/// Bytes of an entry without its name.
const ENTRY: usize = 12;

/// One name of a directory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    /// The name.
    pub(crate) name: &'a [u8],
    /// Number of the inode.
    pub(crate) nid: u64,
    /// Type of the inode.
    pub(crate) file_type: FileType,
}

/// Adds `.` and `..` to the names of a directory, which are in ascending order and stay so.
pub(crate) fn with_dots<T>(mut entries: Vec<T>, name: impl Fn(&T) -> &[u8], dot: T, dotdot: T) -> Vec<T> {
    for dot in [dot, dotdot] {
        let at = entries.partition_point(|entry| name(entry) < name(&dot));
        entries.insert(at, dot);
    }
    entries
}

/// How many of the first names share a block, and how many bytes they take.
fn first_block<'a>(names: impl Iterator<Item = &'a [u8]>) -> (usize, usize) {
    let (mut count, mut used) = (0, 0);
    for name in names {
        let needed = ENTRY + name.len();
        if used + needed > BLOCK_SIZE {
            break;
        }
        count += 1;
        used += needed;
    }
    (count, used)
}

/// Bytes of a directory with these names in this order.
pub(crate) fn size(names: &[&[u8]]) -> u64 {
    let (mut rest, mut size) = (names, 0);
    loop {
        let (count, used) = first_block(rest.iter().copied());
        rest = &rest[count..];
        if rest.is_empty() {
            return size + used as u64;
        }
        size += BLOCK_SIZE as u64;
    }
}

/// The content of a directory with these entries in this order, as many bytes as [`size`] says.
pub(crate) fn encode(entries: &[Entry<'_>]) -> Vec<u8> {
    let (mut rest, mut content) = (entries, Vec::new());
    loop {
        let (count, used) = first_block(rest.iter().map(|entry| entry.name));
        let (these, others) = rest.split_at(count);
        let start = content.len();
        content.resize(start + used, 0);
        let block = &mut content[start..];
        let mut name_at = ENTRY * count;
        for (i, entry) in these.iter().enumerate() {
            let at = ENTRY * i;
            block.le64(at, entry.nid);
            block.le16(at + 8, name_at as u16);
            block[at + 10] = entry.file_type as u8;
            block.put(name_at, entry.name);
            name_at += entry.name.len();
        }
        rest = others;
        if rest.is_empty() {
            return content;
        }
        content.resize(start + BLOCK_SIZE, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &[u8]) -> Entry<'_> {
        Entry {
            name,
            nid: 0x0102,
            file_type: FileType::Regular,
        }
    }

    #[test]
    fn dots_are_sorted_in() {
        let names: Vec<&[u8]> = vec![b"!", b".", b".-", b"..", b"...", b".a", b"b"];
        let without = names
            .iter()
            .copied()
            .filter(|n| *n != b"." && *n != b"..")
            .collect();
        assert_eq!(with_dots(without, |n| n, b".", b".."), names);
    }

    #[test]
    fn one_block() {
        let content = encode(&[entry(b"."), entry(b".."), entry(b"abc")]);
        assert_eq!(content.len(), 36 + 6);
        assert_eq!(&content[..12], [2, 1, 0, 0, 0, 0, 0, 0, 36, 0, 1, 0]);
        assert_eq!(&content[36..], b"...abc");
    }

    #[test]
    fn several_blocks() {
        let names: Vec<Vec<u8>> = (0..100).map(|i| format!("{i:0200}").into_bytes()).collect();
        let entries: Vec<_> = names.iter().map(|n| entry(n)).collect();
        let slices: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
        let content = encode(&entries);
        assert_eq!(content.len() as u64, size(&slices));
        let first_name = usize::from(u16::from_le_bytes([content[4096 + 8], content[4096 + 9]]));
        assert_eq!(first_name, 19 * ENTRY);
        assert_eq!(&content[4096 + first_name..][..200], names[19]);
    }
}

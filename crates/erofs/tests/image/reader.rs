//! Reader of images, written from the format's description and independent of the writer.

use std::collections::BTreeMap;
use std::fmt;

/// An inode as a user sees it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// Type and permission bits.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Seconds and nanoseconds.
    pub(crate) mtime: (i64, u32),
    pub(crate) links: u32,
    /// Major and minor number.
    pub(crate) device: (u32, u32),
    pub(crate) xattrs: BTreeMap<String, Vec<u8>>,
    /// Content of a file, target of a symbolic link.
    pub(crate) content: Vec<u8>,
    /// Number of the inode.
    pub(crate) nid: u64,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:o} {}:{} {:?} ", self.mode, self.uid, self.gid, self.mtime)?;
        write!(
            f,
            "links {} device {:?} {:?} ",
            self.links, self.device, self.xattrs
        )?;
        write!(
            f,
            "{} bytes {:?}",
            self.content.len(),
            String::from_utf8_lossy(&self.content[..self.content.len().min(40)])
        )
    }
}

/// Paths without a leading slash; the root directory is empty.
pub(crate) type Tree = BTreeMap<Vec<u8>, Node>;

struct Image<'a>(&'a [u8]);

impl Image<'_> {
    fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.0[at..at + 2].try_into().unwrap())
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.0[at..at + 4].try_into().unwrap())
    }

    fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.0[at..at + 8].try_into().unwrap())
    }

    fn node(&self, nid: u64) -> Node {
        let meta = self.u32(1024 + 40) as usize * 4096;
        let at = meta + nid as usize * 32;
        let format = self.u16(at);
        assert_eq!(format & 1, 1, "extended inode");
        let mode = u32::from(self.u16(at + 4));
        let size = self.u64(at + 8) as usize;
        let address = self.u32(at + 16);
        let words = usize::from(self.u16(at + 2));
        let xattr_size = if words == 0 { 0 } else { 12 + 4 * (words - 1) };
        let content = match (mode & 0o170_000, format >> 1) {
            (0o020_000 | 0o060_000 | 0o010_000, _) => Vec::new(),
            (_, 0) => self.0[address as usize * 4096..][..size].to_vec(),
            (_, 2) => {
                let blocks = size / 4096 * 4096;
                let tail = at + 64 + xattr_size;
                assert_eq!(
                    tail / 4096,
                    (tail + size - blocks - 1) / 4096,
                    "inline data crosses a block"
                );
                let start = if blocks == 0 { 0 } else { address as usize * 4096 };
                [
                    &self.0[start..start + blocks],
                    &self.0[tail..tail + size - blocks],
                ]
                .concat()
            }
            (_, other) => panic!("layout {other}"),
        };
        let device = if matches!(mode & 0o170_000, 0o020_000 | 0o060_000) {
            (address >> 8 & 0xfff, address & 0xff | address >> 12 & 0xfff00)
        } else {
            (0, 0)
        };
        Node {
            mode,
            uid: self.u32(at + 24),
            gid: self.u32(at + 28),
            mtime: (self.u64(at + 32) as i64, self.u32(at + 40)),
            links: self.u32(at + 44),
            device,
            xattrs: self.xattrs(at + 64, xattr_size),
            content,
            nid,
        }
    }

    fn xattrs(&self, start: usize, size: usize) -> BTreeMap<String, Vec<u8>> {
        let mut xattrs = BTreeMap::new();
        let mut at = start + 12;
        while at < start + size {
            let (name, value) = (usize::from(self.0[at]), usize::from(self.u16(at + 2)));
            let prefix = match self.0[at + 1] {
                1 => "user.",
                2 => "system.posix_acl_access",
                3 => "system.posix_acl_default",
                4 => "trusted.",
                6 => "security.",
                other => panic!("xattr index {other}"),
            };
            let key = format!(
                "{prefix}{}",
                String::from_utf8_lossy(&self.0[at + 4..at + 4 + name])
            );
            assert!(
                xattrs
                    .insert(key, self.0[at + 4 + name..][..value].to_vec())
                    .is_none()
            );
            at = (at + 4 + name + value).next_multiple_of(4);
        }
        xattrs
    }

    fn walk(&self, path: &[u8], nid: u64, parent: u64, tree: &mut Tree) -> bool {
        let mut node = self.node(nid);
        let is_directory = node.mode & 0o170_000 == 0o040_000;
        if is_directory {
            let content = std::mem::take(&mut node.content);
            let (mut names, mut subdirectories) = (Vec::new(), 0);
            for (name, child, file_type) in content.chunks(4096).flat_map(entries) {
                match name.as_slice() {
                    b"." => assert_eq!((child, file_type), (nid, 2)),
                    b".." => assert_eq!((child, file_type), (parent, 2)),
                    _ => {
                        let child_path = if path.is_empty() {
                            name.clone()
                        } else {
                            [path, b"/", &name].concat()
                        };
                        let is_directory = self.walk(&child_path, child, nid, tree);
                        assert_eq!(is_directory, file_type == 2);
                        subdirectories += u32::from(is_directory);
                    }
                }
                names.push(name);
            }
            assert!(names.is_sorted() && names.len() >= 2, "{names:?}");
            assert_eq!(node.links, 2 + subdirectories);
        }
        tree.insert(path.to_vec(), node);
        is_directory
    }
}

/// The entries of one block of a directory.
fn entries(block: &[u8]) -> Vec<(Vec<u8>, u64, u8)> {
    let offset = |i: usize| {
        usize::from(u16::from_le_bytes(
            block[12 * i + 8..12 * i + 10].try_into().unwrap(),
        ))
    };
    let count = offset(0) / 12;
    let entry = |i: usize| {
        let end = if i + 1 < count { offset(i + 1) } else { block.len() };
        let name = block[offset(i)..end]
            .split(|&byte| byte == 0)
            .next()
            .unwrap()
            .to_vec();
        (
            name,
            u64::from_le_bytes(block[12 * i..12 * i + 8].try_into().unwrap()),
            block[12 * i + 10],
        )
    };
    (0..count).map(entry).collect()
}

/// Reads everything that an image holds and checks link counts.
pub(crate) fn read(bytes: &[u8]) -> Tree {
    let image = Image(bytes);
    assert_eq!(image.u32(1024), 0xe0f5_e1e2);
    assert_eq!(bytes.len(), image.u32(1024 + 36) as usize * 4096);
    let root = u64::from(image.u16(1024 + 14));
    let mut tree = Tree::new();
    image.walk(b"", root, root, &mut tree);
    let mut names: BTreeMap<u64, u32> = BTreeMap::new();
    for node in tree.values().filter(|node| node.mode & 0o170_000 != 0o040_000) {
        *names.entry(node.nid).or_default() += 1;
    }
    for (path, node) in &tree {
        if let Some(names) = names.get(&node.nid) {
            assert_eq!(node.links, *names, "{:?}", String::from_utf8_lossy(path));
        }
    }
    let directories = tree
        .values()
        .filter(|node| node.mode & 0o170_000 == 0o040_000)
        .count();
    assert_eq!(image.u64(1024 + 16), (directories + names.len()) as u64);
    tree
}

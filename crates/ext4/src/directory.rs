//! Directory blocks.

use crate::bytes::Put;
use crate::{BLOCK_SIZE, Directory, Error, Result};

/// File type of a directory in its parent's entry.
const TYPE_DIRECTORY: u8 = 2;

/// Rejects names that are not one component of 1 to 255 bytes, and names given twice.
pub(crate) fn check_names(directories: &[Directory<'_>]) -> Result<()> {
    for (i, directory) in directories.iter().enumerate() {
        let name = directory.name;
        let malformed = name.is_empty() || name.len() > 255 || name.contains(['/', '\0']);
        if malformed || name == "." || name == ".." || directories[..i].iter().any(|d| d.name == name) {
            return Err(Error::InvalidDirectory(name.to_owned()));
        }
    }
    Ok(())
}

/// The block of a directory that holds only directories.
pub(crate) fn block(own: u32, parent: u32, children: &[(u32, &str)]) -> Result<Vec<u8>> {
    let entries: Vec<(u32, &str)> = [(own, "."), (parent, "..")]
        .into_iter()
        .chain(children.iter().copied())
        .collect();
    let mut block = vec![0u8; BLOCK_SIZE as usize];
    let mut at = 0;
    for (i, (inode, name)) in entries.iter().enumerate() {
        let needed = (8 + name.len()).next_multiple_of(4);
        if at + needed > block.len() {
            return Err(Error::TooManyDirectories);
        }
        let length = if i + 1 == entries.len() {
            block.len() - at
        } else {
            needed
        };
        block.le32(at, *inode);
        block.le16(at + 4, length as u16);
        block[at + 6] = name.len() as u8;
        block[at + 7] = TYPE_DIRECTORY;
        block.put(at + 8, name.as_bytes());
        at += length;
    }
    Ok(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for bad in ["", ".", "..", "a/b", "a\0", &"x".repeat(256)] {
            assert!(check_names(&[Directory::new(bad)]).is_err(), "{bad:?}");
        }
        assert!(check_names(&[Directory::new("a"), Directory::new("a")]).is_err());
        assert!(check_names(&[Directory::new("a"), Directory::new(&"x".repeat(255))]).is_ok());
    }

    #[test]
    fn the_last_entry_fills_the_block() {
        let b = block(2, 2, &[(12, "upper")]).unwrap();
        assert_eq!(&b[24..32], [12, 0, 0, 0, 0xe8, 0x0f, 5, 2]);
        assert_eq!(&b[32..37], b"upper");
        let names: Vec<String> = (0..16).map(|i| format!("{i:0250}")).collect();
        let children: Vec<_> = names.iter().map(|n| (11, n.as_str())).collect();
        assert!(block(2, 2, &children[..15]).is_ok());
        assert!(matches!(block(2, 2, &children), Err(Error::TooManyDirectories)));
    }
}

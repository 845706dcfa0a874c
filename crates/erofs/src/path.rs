//! Paths of archive entries.

use crate::Fault;

/// Longest name of a directory entry in bytes.
pub(crate) const MAX_NAME: usize = 255;

/// Longest path in bytes, as in the kernel.
const MAX_PATH: usize = 4096;

/// The components of an entry's path below the root directory, empty for the root itself.
///
/// A leading slash is ignored. `.` and `..` are resolved by the text alone; a path that would leave the root is a fault.
pub(crate) fn components(path: &[u8]) -> Result<Vec<&[u8]>, Fault> {
    if path.len() > MAX_PATH {
        return Err(Fault::PathTooLong);
    }
    let mut components = Vec::new();
    for part in path.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                components.pop().ok_or(Fault::Escapes)?;
            }
            part if part.len() > MAX_NAME => return Err(Fault::NameTooLong),
            part if part.contains(&0) => return Err(Fault::BadPath),
            part => components.push(part),
        }
    }
    Ok(components)
}

/// What the last component of an entry's path asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Name<'a> {
    /// An entry of this name.
    Plain(&'a [u8]),
    /// This name of the lower layers disappears.
    Whiteout(&'a [u8]),
    /// Everything that lower layers have in the directory disappears.
    Opaque,
    /// Bookkeeping of an old union file system, to be ignored.
    Bookkeeping,
}

/// Recognises whiteouts.
pub(crate) fn classify(name: &[u8]) -> Result<Name<'_>, Fault> {
    match name.strip_prefix(b".wh.") {
        None => Ok(Name::Plain(name)),
        Some(b".wh..opq") => Ok(Name::Opaque),
        Some(rest) if rest.starts_with(b".wh.") => Ok(Name::Bookkeeping),
        Some(b"" | b"." | b"..") => Err(Fault::BadPath),
        Some(rest) => Ok(Name::Whiteout(rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_paths() {
        assert_eq!(components(b"a/b").unwrap(), [b"a", b"b"]);
        assert_eq!(components(b"//a/./b//").unwrap(), [b"a", b"b"]);
        assert_eq!(components(b"a/../b").unwrap(), [b"b"]);
        assert!(components(b"./").unwrap().is_empty());
        assert!(components(b"").unwrap().is_empty());
    }

    #[test]
    fn hostile_paths() {
        assert!(matches!(components(b"../a"), Err(Fault::Escapes)));
        assert!(matches!(components(b"/a/../../etc"), Err(Fault::Escapes)));
        assert!(matches!(components(b"a\0b"), Err(Fault::BadPath)));
        assert!(matches!(components(&[b'x'; 256]), Err(Fault::NameTooLong)));
        assert!(components(&[b'x'; 255]).is_ok());
        assert!(matches!(components(&b"x/".repeat(2049)), Err(Fault::PathTooLong)));
    }

    #[test]
    fn whiteouts() {
        assert_eq!(classify(b"a").unwrap(), Name::Plain(b"a"));
        assert_eq!(classify(b".wh.a").unwrap(), Name::Whiteout(b"a"));
        assert_eq!(classify(b".wh..wh..opq").unwrap(), Name::Opaque);
        assert_eq!(classify(b".wh..wh.plnk").unwrap(), Name::Bookkeeping);
        assert_eq!(classify(b".wh..a").unwrap(), Name::Whiteout(b".a"));
        assert!(classify(b".wh.").is_err());
        assert!(classify(b".wh...").is_err());
    }
}

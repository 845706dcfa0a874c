//! Extended attributes, stored with their inode.

use std::collections::BTreeMap;

use crate::Fault;

/// Attributes by their full names.
pub(crate) type Xattrs = BTreeMap<Vec<u8>, Vec<u8>>;

/// Prefixes that are stored as a number; a name without one cannot be stored.
const PREFIXES: [(u8, &[u8]); 4] = [
    (1, b"user."),
    (4, b"trusted."),
    (5, b"lustre."),
    (6, b"security."),
];
/// Attributes that are stored as a number alone.
const WHOLE: [(u8, &[u8]); 2] = [(2, b"system.posix_acl_access"), (3, b"system.posix_acl_default")];

/// Bytes before the first attribute.
const HEADER: usize = 12;
/// Most bytes of all attributes of an inode: a 16-bit count of words.
const MAX_BODY: usize = HEADER + 4 * (u16::MAX as usize - 1);

/// The attributes of an inode as they are stored after it: nothing, or a multiple of four bytes.
///
/// Attributes that Linux knows no place for (such as those of macOS) are left out, and so are those that direct an overlay:
/// the image becomes the lower layer of one.
pub(crate) fn encode(xattrs: &Xattrs) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::new();
    for (name, value) in xattrs {
        let Some((index, suffix)) = split(name) else {
            continue;
        };
        let length = u8::try_from(suffix.len()).map_err(|_| Fault::XattrTooLarge)?;
        let size = u16::try_from(value.len()).map_err(|_| Fault::XattrTooLarge)?;
        if body.is_empty() {
            body.resize(HEADER, 0);
        }
        body.extend([length, index]);
        body.extend(size.to_le_bytes());
        body.extend(suffix);
        body.extend(value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    if body.len() > MAX_BODY {
        return Err(Fault::XattrTooLarge);
    }
    Ok(body)
}

/// The count of words by which an inode announces its attributes.
pub(crate) fn count(body: &[u8]) -> u16 {
    match body.len() {
        0 => 0,
        length => ((length - HEADER) / 4 + 1) as u16,
    }
}

fn split(name: &[u8]) -> Option<(u8, &[u8])> {
    if name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.") {
        return None;
    }
    if let Some((index, _)) = WHOLE.iter().find(|(_, whole)| *whole == name) {
        return Some((*index, b""));
    }
    PREFIXES
        .iter()
        .find_map(|(index, prefix)| Some((*index, name.strip_prefix(*prefix)?)))
        .filter(|(_, suffix)| !suffix.is_empty() && !suffix.contains(&0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, value: &[u8]) -> Result<Vec<u8>, Fault> {
        encode(&Xattrs::from([(name.into(), value.into())]))
    }

    #[test]
    fn entries_are_aligned() {
        let body = one("user.ab", b"xyz").unwrap();
        assert_eq!(body, [&[0; 12][..], &[2, 1, 3, 0], b"abxyz\0\0\0"].concat());
        assert_eq!(count(&body), 4);
        assert_eq!(count(&[]), 0);
    }

    #[test]
    fn access_lists_have_no_name() {
        assert_eq!(one("system.posix_acl_access", b"").unwrap()[12..], [0, 2, 0, 0]);
    }

    #[test]
    fn foreign_attributes_are_left_out() {
        for name in [
            "com.apple.provenance",
            "system.nfs4_acl",
            "user.",
            "trusted.overlay.opaque",
            "user.a\0b",
        ] {
            assert!(one(name, b"v").unwrap().is_empty(), "{name}");
        }
    }

    #[test]
    fn limits() {
        assert!(one("user.big", &[0; 65535]).is_ok());
        assert!(one("user.big", &[0; 65536]).is_err());
        assert!(one(&format!("user.{}", "x".repeat(256)), b"").is_err());
        let many = (0..5)
            .map(|i| (format!("user.{i}").into_bytes(), vec![0; 65535]))
            .collect();
        assert!(encode(&many).is_err());
    }
}

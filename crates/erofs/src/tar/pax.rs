//! Extended headers.

use super::Time;
use super::sparse::{Segment, segment};
use crate::Fault;
use crate::xattr::Xattrs;

/// What extended headers say about the entry that follows them; what is absent is as the entry's own header says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extensions {
    /// Path.
    pub path: Option<Vec<u8>>,
    /// Target of a link.
    pub link: Option<Vec<u8>>,
    /// Bytes of content in the archive.
    pub size: Option<u64>,
    /// Owner.
    pub uid: Option<u64>,
    /// Group.
    pub gid: Option<u64>,
    /// Modification time.
    pub mtime: Option<Time>,
    /// Extended attributes by their full names.
    pub xattrs: Xattrs,
    /// Major version of the sparse format; 1 if the map precedes the content.
    pub sparse_major: u64,
    /// Path of a sparse file.
    pub sparse_path: Option<Vec<u8>>,
    /// Length of a sparse file.
    pub sparse_size: Option<u64>,
    /// Parts of a sparse file that have data.
    pub sparse_map: Option<Vec<Segment>>,
}

/// Parses the records of a PAX extended header into `extensions`.
pub fn parse(mut content: &[u8], extensions: &mut Extensions) -> Result<(), Fault> {
    let mut offset = None;
    while !content.is_empty() {
        let (key, value, rest) = record(content).ok_or(Fault::BadExtendedHeader)?;
        apply(key, value, &mut offset, extensions)?;
        content = rest;
    }
    Ok(())
}

/// Splits off the first record, `length key=value\n`.
fn record(content: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = content.iter().take(20).position(|&byte| byte == b' ')?;
    let length = usize::try_from(decimal(&content[..space])?).ok()?;
    let record = content.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|&byte| byte == b'=')?;
    Some((&record[..equals], &record[equals + 1..], &content[length..]))
}

fn apply(key: &[u8], value: &[u8], offset: &mut Option<u64>, to: &mut Extensions) -> Result<(), Fault> {
    let number = |what| decimal(value).map(Some).ok_or(Fault::BadNumber(what));
    match key {
        // An empty value withdraws what an earlier record said.
        b"path" => to.path = non_empty(value),
        b"linkpath" => to.link = non_empty(value),
        b"size" if value.is_empty() => to.size = None,
        b"uid" if value.is_empty() => to.uid = None,
        b"gid" if value.is_empty() => to.gid = None,
        b"mtime" if value.is_empty() => to.mtime = None,
        b"size" => to.size = number("size")?,
        b"uid" => to.uid = number("uid")?,
        b"gid" => to.gid = number("gid")?,
        b"mtime" => to.mtime = Some(time(value).ok_or(Fault::BadNumber("mtime"))?),
        b"GNU.sparse.major" => to.sparse_major = decimal(value).ok_or(Fault::BadSparseMap)?,
        b"GNU.sparse.name" => to.sparse_path = non_empty(value),
        b"GNU.sparse.size" | b"GNU.sparse.realsize" => to.sparse_size = number("size")?,
        b"GNU.sparse.numblocks" => {
            to.sparse_map.get_or_insert_default();
        }
        b"GNU.sparse.offset" => *offset = number("offset")?,
        b"GNU.sparse.numbytes" => {
            let length = decimal(value).ok_or(Fault::BadSparseMap)?;
            let segment = segment(offset.take().ok_or(Fault::BadSparseMap)?, length)?;
            to.sparse_map.get_or_insert_default().push(segment);
        }
        b"GNU.sparse.map" => to.sparse_map = Some(map(value).ok_or(Fault::BadSparseMap)?),
        _ => {
            if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                to.xattrs.insert(name.to_vec(), value.to_vec());
            } else if let Some(name) = key.strip_prefix(b"LIBARCHIVE.xattr.") {
                let name = percent_decode(name).ok_or(Fault::BadExtendedHeader)?;
                let value = base64_decode(value).ok_or(Fault::BadExtendedHeader)?;
                to.xattrs.insert(name, value);
            }
        }
    }
    Ok(())
}

fn non_empty(value: &[u8]) -> Option<Vec<u8>> {
    (!value.is_empty()).then(|| value.to_vec())
}

/// An unsigned decimal number.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(digits).ok()?.parse().ok()
}

/// A map as `offset,length,offset,length…`.
fn map(value: &[u8]) -> Option<Vec<Segment>> {
    if value.is_empty() {
        return Some(Vec::new());
    }
    let numbers: Option<Vec<u64>> = value.split(|&byte| byte == b',').map(decimal).collect();
    let (pairs, []) = numbers.as_deref()?.as_chunks::<2>() else {
        return None;
    };
    pairs
        .iter()
        .map(|[offset, length]| segment(*offset, *length).ok())
        .collect()
}

/// A decimal number of seconds with an optional fraction.
fn time(value: &[u8]) -> Option<Time> {
    let (negative, value) = match value.strip_prefix(b"-") {
        Some(value) => (true, value),
        None => (false, value),
    };
    let mut parts = value.splitn(2, |&byte| byte == b'.');
    let seconds = i64::try_from(decimal(parts.next()?)?).ok()?;
    let fraction = parts.next().unwrap_or_default();
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // Digits beyond nanoseconds are cut off.
    let digits = fraction.iter().copied().chain(std::iter::repeat(b'0')).take(9);
    let nanoseconds = digits.fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
    Some(match (negative, nanoseconds) {
        (false, _) => Time { seconds, nanoseconds },
        (true, 0) => Time {
            seconds: -seconds,
            nanoseconds,
        },
        (true, _) => Time {
            seconds: -seconds - 1,
            nanoseconds: 1_000_000_000 - nanoseconds,
        },
    })
}

fn percent_decode(text: &[u8]) -> Option<Vec<u8>> {
    let (mut rest, mut decoded) = (text, Vec::with_capacity(text.len()));
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let digit = |at: usize| char::from(*after.get(at)?).to_digit(16);
            decoded.push((digit(0)? << 4 | digit(1)?) as u8);
            rest = &after[2..];
        } else {
            decoded.push(byte);
        }
    }
    Some(decoded)
}

fn base64_decode(text: &[u8]) -> Option<Vec<u8>> {
    let end = text
        .iter()
        .rposition(|&byte| byte != b'=')
        .map_or(0, |last| last + 1);
    let (mut bits, mut count, mut decoded) = (0u32, 0, Vec::with_capacity(end * 3 / 4));
    for &byte in &text[..end] {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            decoded.push((bits >> count) as u8);
        }
    }
    (count < 6).then_some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(pairs: &[(&str, &[u8])]) -> Vec<u8> {
        let mut content = Vec::new();
        for (key, value) in pairs {
            let mut length = key.len() + value.len() + 3;
            while format!("{length}").len() + key.len() + value.len() + 3 != length {
                length += 1;
            }
            content.extend(format!("{length} {key}=").as_bytes());
            content.extend_from_slice(value);
            content.push(b'\n');
        }
        content
    }

    fn parsed(pairs: &[(&str, &[u8])]) -> Result<Extensions, Fault> {
        let mut extensions = Extensions::default();
        parse(&records(pairs), &mut extensions).map(|()| extensions)
    }

    #[test]
    fn values() {
        let e = parsed(&[
            ("path", b"a\nb=c"),
            ("size", b"8589934592"),
            ("uid", b"4294967294"),
            ("mtime", b"1700000000.123456789123"),
            ("SCHILY.xattr.user.x", b"\0\n="),
            ("LIBARCHIVE.xattr.user.a%3db", b"AAEC/w"),
            ("comment", b"ignored"),
        ])
        .unwrap();
        assert_eq!(e.path.as_deref(), Some(&b"a\nb=c"[..]));
        assert_eq!((e.size, e.uid, e.gid), (Some(8 << 30), Some(0xffff_fffe), None));
        assert_eq!(
            e.mtime,
            Some(Time {
                seconds: 1_700_000_000,
                nanoseconds: 123_456_789
            })
        );
        assert_eq!(e.xattrs[&b"user.x"[..]], b"\0\n=");
        assert_eq!(e.xattrs[&b"user.a=b"[..]], [0, 1, 2, 255]);
    }

    #[test]
    fn times_before_1970() {
        assert_eq!(
            time(b"-1.25"),
            Some(Time {
                seconds: -2,
                nanoseconds: 750_000_000
            })
        );
        assert_eq!(
            time(b"-3"),
            Some(Time {
                seconds: -3,
                nanoseconds: 0
            })
        );
        assert_eq!(
            time(b"1."),
            Some(Time {
                seconds: 1,
                nanoseconds: 0
            })
        );
        for bad in ["", "-", "x", "1.x", "1.-5", "99999999999999999999"] {
            assert_eq!(time(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn sparse_maps() {
        let e = parsed(&[
            ("GNU.sparse.offset", b"0"),
            ("GNU.sparse.numbytes", b"5"),
            ("GNU.sparse.offset", b"10"),
            ("GNU.sparse.numbytes", b"6"),
        ])
        .unwrap();
        let segments = vec![
            Segment { offset: 0, length: 5 },
            Segment {
                offset: 10,
                length: 6,
            },
        ];
        assert_eq!(e.sparse_map, Some(segments.clone()));
        assert_eq!(
            parsed(&[("GNU.sparse.map", b"0,5,10,6")]).unwrap().sparse_map,
            Some(segments)
        );
        assert!(parsed(&[("GNU.sparse.map", b"0,5,10")]).is_err());
        assert!(parsed(&[("GNU.sparse.numbytes", b"5")]).is_err());
        assert!(parsed(&[("GNU.sparse.map", b"18446744073709551615,1")]).is_err());
    }

    #[test]
    fn malformed() {
        for bad in [
            "5",
            "x y=z\n",
            "99 a=b\n",
            "6 a=b\nx",
            "3 =\n",
            "0 \n",
            "-1 a=b\n",
            "5 ab\n",
            "18446744073709551615 a=b\n",
        ] {
            assert!(
                parse(bad.as_bytes(), &mut Extensions::default()).is_err(),
                "{bad:?}"
            );
        }
        assert!(parsed(&[("size", b"-1")]).is_err());
        assert!(parsed(&[("LIBARCHIVE.xattr.user.a", b"?")]).is_err());
        assert!(parsed(&[("LIBARCHIVE.xattr.user.%4", b"AAAA")]).is_err());
    }
}

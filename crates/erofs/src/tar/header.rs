//! The fixed header of an entry.

use super::BLOCK;
use super::sparse::{self, Segment};
use crate::Fault;

/// A header as it stands in the archive.
pub type HeaderBlock = [u8; BLOCK];

/// The fields of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Path, prefix included.
    pub path: Vec<u8>,
    /// Target of a link.
    pub link: Vec<u8>,
    /// Type of the entry as the archive has it.
    pub typeflag: u8,
    /// Permission bits, set-id and sticky bits.
    pub mode: u16,
    /// Owner.
    pub uid: u64,
    /// Group.
    pub gid: u64,
    /// Bytes of content in the archive.
    pub size: u64,
    /// Modification time in seconds since 1970.
    pub mtime: i64,
    /// Device number's major part, 0 unless the entry is a device.
    pub major: u64,
    /// Device number's minor part, 0 unless the entry is a device.
    pub minor: u64,
    /// Sparse file in GNU's old format.
    pub sparse: Option<OldSparse>,
}

/// What the header of a sparse file in GNU's old format says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldSparse {
    /// The first parts of the file that have data.
    pub segments: Vec<Segment>,
    /// Whether blocks with more of them follow.
    pub extended: bool,
    /// Length of the file.
    pub real_size: u64,
}

/// Whether the block is all zeros, which marks the end of an archive.
pub(super) fn is_zero(block: &HeaderBlock) -> bool {
    block.iter().all(|&byte| byte == 0)
}

/// Parses a header.
pub fn parse(block: &HeaderBlock) -> Result<Header, Fault> {
    verify(block)?;
    let typeflag = block[156];
    let gnu = &block[257..265] == b"ustar  \0";
    let posix = &block[257..263] == b"ustar\0";
    let mut path = text(&block[..100]).to_vec();
    if posix {
        // star uses the prefix's end for times.
        let end = if &block[508..512] == b"tar\0" {
            345 + 131
        } else {
            500
        };
        let prefix = text(&block[345..end]);
        if !prefix.is_empty() {
            path = [prefix, b"/", &path].concat();
        }
    }
    let device = matches!(typeflag, b'3' | b'4');
    let number = |range: std::ops::Range<usize>, what| {
        u64::try_from(number(&block[range]).ok_or(Fault::BadNumber(what))?)
            .map_err(|_| Fault::BadNumber(what))
    };
    Ok(Header {
        path,
        link: text(&block[157..257]).to_vec(),
        typeflag,
        mode: (number(100..108, "mode")? & 0o7777) as u16,
        uid: number(108..116, "uid")?,
        gid: number(116..124, "gid")?,
        size: number(124..136, "size")?,
        mtime: self::number(&block[136..148]).ok_or(Fault::BadNumber("mtime"))?,
        major: if device {
            number(329..337, "device number")?
        } else {
            0
        },
        minor: if device {
            number(337..345, "device number")?
        } else {
            0
        },
        sparse: match typeflag {
            b'S' if gnu => Some(OldSparse {
                segments: sparse::parse_table(&block[386..482])?,
                extended: block[482] != 0,
                real_size: number(483..495, "size")?,
            }),
            b'S' => return Err(Fault::BadSparseMap),
            _ => None,
        },
    })
}

fn verify(block: &HeaderBlock) -> Result<(), Fault> {
    let stored = number(&block[148..156]).ok_or(Fault::BadHeader)?;
    let (mut unsigned, mut signed) = (0i64, 0i64);
    for (i, &byte) in block.iter().enumerate() {
        // The checksum itself counts as spaces. Some old archivers added signed bytes.
        let byte = if (148..156).contains(&i) { b' ' } else { byte };
        unsigned += i64::from(byte);
        signed += i64::from(byte as i8);
    }
    if stored == unsigned || stored == signed {
        Ok(())
    } else {
        Err(Fault::BadHeader)
    }
}

/// The bytes before the first NUL.
pub(super) fn text(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// A number in octal digits, or in base 256 if the first bit is set; an empty field is 0.
pub(super) fn number(field: &[u8]) -> Option<i64> {
    let (first, rest) = field.split_first()?;
    if first & 0x80 != 0 {
        // The second bit is the sign of a number in two's complement.
        let start = if first & 0x40 != 0 {
            i128::from(first | 0x80) - 256
        } else {
            i128::from(first & 0x7f)
        };
        let value = rest.iter().try_fold(start, |value, &byte| {
            let value = value << 8 | i128::from(byte);
            (-(1 << 100)..1 << 100).contains(&value).then_some(value)
        })?;
        return value.try_into().ok();
    }
    let trimmed = field.trim_ascii_start();
    let digits = trimmed.split(|&byte| byte == 0 || byte == b' ').next()?;
    digits.iter().try_fold(0i64, |value, &digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(i64::from(digit - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_checksum(mut block: HeaderBlock) -> HeaderBlock {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|&b| u32::from(b)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    }

    fn ustar(path: &[u8], prefix: &[u8]) -> HeaderBlock {
        let mut block = [0; BLOCK];
        block[..path.len()].copy_from_slice(path);
        block[100..108].copy_from_slice(b"0104755\0");
        block[124..136].copy_from_slice(b"00000001750 ");
        block[156] = b'0';
        block[257..265].copy_from_slice(b"ustar\x0000");
        block[345..345 + prefix.len()].copy_from_slice(prefix);
        with_checksum(block)
    }

    #[test]
    fn fields() {
        let header = parse(&ustar(b"name", b"some/prefix")).unwrap();
        assert_eq!(header.path, b"some/prefix/name");
        assert_eq!((header.mode, header.size, header.typeflag), (0o4755, 1000, b'0'));
    }

    #[test]
    fn checksum() {
        let mut block = ustar(b"name", b"");
        block[0] = b'm';
        assert!(matches!(parse(&block), Err(Fault::BadHeader)));
    }

    #[test]
    fn numbers() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b"   644 \0"), Some(0o644));
        assert_eq!(number(b"77777777777"), Some(0o77_777_777_777));
        assert_eq!(number(&[0; 8]), Some(0));
        assert_eq!(number(b"12x\0"), None);
        assert_eq!(
            number(&[0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe]),
            Some(0xffff_fffe)
        );
        assert_eq!(number(&[0xff; 12]), Some(-1));
        assert_eq!(
            number(&[0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            None
        );
        assert_eq!(
            number(&[
                0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
            ]),
            None
        );
    }
}

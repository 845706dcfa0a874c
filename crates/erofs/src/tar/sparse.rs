//! Maps of sparse files.

use super::header::number;
use super::pax::decimal;
use crate::Fault;

/// Most parts with data that a sparse file may have.
pub(super) const MAX_SEGMENTS: usize = 1 << 18;

/// A part of a sparse file that has data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Place in the file.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
}

/// A segment whose end can be expressed.
pub(super) fn segment(offset: u64, length: u64) -> Result<Segment, Fault> {
    match offset.checked_add(length) {
        Some(_) => Ok(Segment { offset, length }),
        None => Err(Fault::BadSparseMap),
    }
}

/// Parses the pairs of 12-byte numbers in GNU's old format; a pair without a length in the header ends the table.
pub(super) fn parse_table(table: &[u8]) -> Result<Vec<Segment>, Fault> {
    let mut segments = Vec::new();
    for pair in table.chunks_exact(24) {
        if pair[0] == 0 {
            break;
        }
        let value = |field: &[u8]| {
            number(field)
                .and_then(|n| u64::try_from(n).ok())
                .ok_or(Fault::BadSparseMap)
        };
        segments.push(segment(value(&pair[..12])?, value(&pair[12..])?)?);
    }
    Ok(segments)
}

/// How many lines the decimal list that precedes the content in version 1.0 has, which its first line tells; `None` as long
/// as `text` does not hold that line.
pub(super) fn list_lines(text: &[u8]) -> Result<Option<usize>, Fault> {
    match text.iter().position(|&byte| byte == b'\n') {
        Some(end) => match decimal(&text[..end]) {
            Some(count) if count <= MAX_SEGMENTS as u64 => Ok(Some(1 + 2 * count as usize)),
            _ => Err(Fault::BadSparseMap),
        },
        None if text.len() > 20 => Err(Fault::BadSparseMap),
        None => Ok(None),
    }
}

/// Parses the decimal list that precedes the content in version 1.0: their number, then offset and length of each segment, a
/// line each. Whatever follows is padding.
pub fn parse_list(text: &[u8]) -> Result<Vec<Segment>, Fault> {
    let mut numbers = text
        .split(|&byte| byte == b'\n')
        .map(|digits| decimal(digits).ok_or(Fault::BadSparseMap));
    let mut next = || numbers.next().ok_or(Fault::BadSparseMap)?;
    let count = next()?;
    if count > MAX_SEGMENTS as u64 {
        return Err(Fault::BadSparseMap);
    }
    (0..count).map(|_| segment(next()?, next()?)).collect()
}

/// Checks that segments ascend without overlapping inside a file of `size` bytes and have `stored` bytes together.
pub(super) fn check(segments: &[Segment], size: u64, stored: u64) -> Result<(), Fault> {
    let (mut end, mut total) = (0, 0u64);
    for segment in segments {
        if segment.offset < end {
            return Err(Fault::BadSparseMap);
        }
        end = segment.offset + segment.length;
        total += segment.length;
    }
    if end > size || total != stored {
        Err(Fault::BadSparseMap)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let expected = vec![Segment { offset: 0, length: 3 }, Segment { offset: 9, length: 1 }];
        assert_eq!(parse_list(b"2\n0\n3\n9\n1\n\0\0").unwrap(), expected);
        for bad in [
            &b"2\n0\n3\n9\n"[..],
            b"2\n0\n3\n9\n\0",
            b"",
            b"x\n",
            b"1\n\n",
            b"999999999\n",
        ] {
            assert!(parse_list(bad).is_err());
        }
    }

    #[test]
    fn lengths_of_lists() {
        assert_eq!(list_lines(b"2\n0").unwrap(), Some(5));
        assert_eq!(list_lines(b"2").unwrap(), None);
        assert!(list_lines(b"x\n").is_err());
        assert!(list_lines(b"999999999\n").is_err());
        assert!(list_lines(&[b'1'; 30]).is_err());
    }

    #[test]
    fn checks() {
        let s = |offset, length| Segment { offset, length };
        assert!(check(&[s(0, 3), s(3, 2), s(10, 0)], 10, 5).is_ok());
        assert!(check(&[s(0, 3), s(2, 2)], 10, 5).is_err());
        assert!(check(&[s(8, 3)], 10, 3).is_err());
        assert!(check(&[s(0, 3)], 10, 4).is_err());
    }
}

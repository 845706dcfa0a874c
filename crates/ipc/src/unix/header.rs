//! The eight bytes before every message: `CI`, the number of descriptors (16 bits) and the number of bytes
//! that follow (32 bits), both big-endian.

use crate::frame::{MAX_DESCRIPTORS, MAX_MESSAGE_BYTES};
use crate::transport::ReceiveError;

const MAGIC: [u8; 2] = *b"CI";

/// The header's length.
pub(super) const BYTES: usize = 8;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) fds: u16,
    pub(super) length: u32,
}

impl Header {
    pub(super) fn encode(self) -> [u8; BYTES] {
        let ([a, b], [c, d], [e, f, g, h]) = (MAGIC, self.fds.to_be_bytes(), self.length.to_be_bytes());
        [a, b, c, d, e, f, g, h]
    }

    /// Reads the header at the start of `bytes`; `None` when it is not complete yet.
    pub(super) fn decode(bytes: &[u8]) -> Result<Option<Self>, ReceiveError> {
        // What cannot become a header is refused before the rest of it arrives.
        if !MAGIC.starts_with(&bytes[..bytes.len().min(MAGIC.len())]) {
            return Err(ReceiveError::Malformed);
        }
        let Some(&[_, _, c, d, e, f, g, h]) = bytes.first_chunk::<BYTES>() else {
            return Ok(None);
        };
        let header = Self {
            fds: u16::from_be_bytes([c, d]),
            length: u32::from_be_bytes([e, f, g, h]),
        };
        let length = header.length as usize;
        if length > MAX_MESSAGE_BYTES {
            return Err(ReceiveError::Oversized {
                length,
                limit: MAX_MESSAGE_BYTES,
            });
        }
        if usize::from(header.fds) > MAX_DESCRIPTORS {
            return Err(ReceiveError::Descriptors);
        }
        Ok(Some(header))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let header = Header {
            fds: 3,
            length: 70_000,
        };
        let bytes = header.encode();
        assert_eq!(bytes, *b"CI\x00\x03\x00\x01\x11\x70");
        assert_eq!(Header::decode(&bytes).unwrap(), Some(header));
        for end in 0..BYTES {
            assert_eq!(Header::decode(&bytes[..end]).unwrap(), None);
        }
    }

    #[test]
    fn limits_hold() {
        let at = |fds, length| Header::decode(&Header { fds, length }.encode());
        assert!(at(128, 16 << 20).is_ok());
        assert!(matches!(
            at(0, (16 << 20) + 1),
            Err(ReceiveError::Oversized {
                length: 16_777_217,
                ..
            })
        ));
        assert!(matches!(at(129, 1), Err(ReceiveError::Descriptors)));
        assert!(matches!(Header::decode(b"G"), Err(ReceiveError::Malformed)));
        assert!(matches!(Header::decode(b"CX"), Err(ReceiveError::Malformed)));
    }
}

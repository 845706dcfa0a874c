//! Writer of archives, well-formed or not.

/// An archive that is being written.
#[derive(Debug, Default, Clone)]
pub(crate) struct Archive(pub(crate) Vec<u8>);

/// A header that is being filled in.
#[derive(Debug, Clone)]
pub(crate) struct Header(pub(crate) [u8; 512]);

impl Header {
    /// A ustar header of mode 0644, owned by root, dated 1.
    pub(crate) fn new(typeflag: u8, path: &[u8]) -> Self {
        let mut header = Header([0; 512]);
        let short = path.len().min(100);
        header.0[..short].copy_from_slice(&path[..short]);
        header.0[156] = typeflag;
        header.0[257..265].copy_from_slice(b"ustar\x0000");
        header
            .number(100, 8, 0o644)
            .number(108, 8, 0)
            .number(116, 8, 0)
            .number(124, 12, 0)
            .number(136, 12, 1)
    }

    /// Turns the header into one of GNU's format.
    pub(crate) fn gnu(self) -> Self {
        self.bytes(257, b"ustar  \0")
    }

    pub(crate) fn mode(self, mode: u64) -> Self {
        self.number(100, 8, mode)
    }

    pub(crate) fn owner(self, uid: u64, gid: u64) -> Self {
        self.number(108, 8, uid).number(116, 8, gid)
    }

    pub(crate) fn size(self, size: u64) -> Self {
        self.number(124, 12, size)
    }

    pub(crate) fn mtime(self, mtime: u64) -> Self {
        self.number(136, 12, mtime)
    }

    pub(crate) fn link(self, target: &[u8]) -> Self {
        self.bytes(157, &target[..target.len().min(100)])
    }

    pub(crate) fn device(self, major: u64, minor: u64) -> Self {
        self.number(329, 8, major).number(337, 8, minor)
    }

    pub(crate) fn bytes(mut self, at: usize, bytes: &[u8]) -> Self {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    /// A field in octal digits, or in base 256 if these do not suffice.
    pub(crate) fn number(self, at: usize, width: usize, value: u64) -> Self {
        let digits = format!("{value:0width$o}", width = width - 1);
        if digits.len() < width {
            return self.bytes(at, digits.as_bytes()).bytes(at + width - 1, b"\0");
        }
        let bytes = u128::from(value).to_be_bytes();
        self.bytes(at, &bytes[16 - width..]).bytes(at, &[0x80])
    }

    /// The header with its checksum.
    pub(crate) fn finish(mut self) -> [u8; 512] {
        self.0[148..156].fill(b' ');
        let sum: u32 = self.0.iter().map(|&byte| u32::from(byte)).sum();
        self.bytes(148, format!("{sum:06o}\0 ").as_bytes()).0
    }
}

impl Archive {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a header and content as they are, padded.
    pub(crate) fn raw(mut self, header: Header, content: &[u8]) -> Self {
        self.0.extend(header.finish());
        self.bytes(content)
    }

    /// Adds bytes, padded.
    pub(crate) fn bytes(mut self, content: &[u8]) -> Self {
        self.0.extend(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn file(self, path: &str, content: &[u8]) -> Self {
        self.raw(
            Header::new(b'0', path.as_bytes()).size(content.len() as u64),
            content,
        )
    }

    pub(crate) fn directory(self, path: &str, mode: u64) -> Self {
        self.raw(Header::new(b'5', path.as_bytes()).mode(mode), &[])
    }

    pub(crate) fn symlink(self, path: &str, target: &str) -> Self {
        self.raw(
            Header::new(b'2', path.as_bytes())
                .mode(0o777)
                .link(target.as_bytes()),
            &[],
        )
    }

    pub(crate) fn hard_link(self, path: &str, target: &str) -> Self {
        self.raw(Header::new(b'1', path.as_bytes()).link(target.as_bytes()), &[])
    }

    /// Adds a PAX header.
    pub(crate) fn pax(self, records: &[(&str, &[u8])]) -> Self {
        self.pax_of(b'x', records)
    }

    /// Adds a PAX header of a type.
    pub(crate) fn pax_of(self, typeflag: u8, records: &[(&str, &[u8])]) -> Self {
        let mut content = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let length = (rest..)
                .find(|&length| length == rest + length.to_string().len())
                .unwrap();
            content.extend(format!("{length} {key}=").as_bytes());
            content.extend_from_slice(value);
            content.push(b'\n');
        }
        self.raw(
            Header::new(typeflag, b"PaxHeaders/x").size(content.len() as u64),
            &content,
        )
    }

    /// Adds GNU's header of a long path (`L`) or link target (`K`).
    pub(crate) fn gnu_long(self, typeflag: u8, text: &[u8]) -> Self {
        let content = [text, b"\0"].concat();
        self.raw(
            Header::new(typeflag, b"././@LongLink")
                .gnu()
                .size(content.len() as u64),
            &content,
        )
    }

    /// Ends the archive.
    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}

/// Content that has no blocks of zeros and differs from seed to seed.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8 | 1
    };
    std::iter::repeat_with(next).take(length).collect()
}

//! An archive as a sequence of entries.

use super::header::{self, Header, HeaderBlock, is_zero, text};
use super::pax::{self, Extensions};
use super::sparse::{self, MAX_SEGMENTS, Segment};
use super::{BLOCK, Time};
use crate::Fault;
use crate::xattr::Xattrs;

/// Largest extended header and map of a sparse file.
const MAX_EXTENDED: u64 = 1 << 20;
/// Most that may follow the end of an archive; archivers pad to whole records.
const MAX_TRAILER: u64 = 16 << 20;

/// Where an archive's bytes come from.
pub trait Stream {
    /// The bytes that are available next, empty at the end.
    fn fill(&mut self) -> Result<&[u8], Fault>;
    /// Passes over bytes that `fill` returned.
    fn consume(&mut self, count: usize);
}

impl Stream for &[u8] {
    fn fill(&mut self) -> Result<&[u8], Fault> {
        Ok(self)
    }

    fn consume(&mut self, count: usize) {
        *self = &self[count..];
    }
}

/// Where a file's content goes.
pub trait Sink {
    /// Takes the next bytes.
    fn data(&mut self, bytes: &[u8]) -> Result<(), Fault>;
    /// Takes the next bytes, which are zeros.
    fn zeros(&mut self, count: u64) -> Result<(), Fault>;
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A regular file of this many bytes; its content can be read with [`Archive::copy`].
    File(u64),
    /// A directory.
    Directory,
    /// A symbolic link with its target.
    Symlink(Vec<u8>),
    /// Another name of the file at this path.
    HardLink(Vec<u8>),
    /// A character device with major and minor number.
    CharDevice(u32, u32),
    /// A block device with major and minor number.
    BlockDevice(u32, u32),
    /// A named pipe.
    Fifo,
}

/// An entry without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Path as the archive has it.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Permission bits, set-id and sticky bits.
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Modification time.
    pub mtime: Time,
    /// Extended attributes by their full names.
    pub xattrs: Xattrs,
    /// Parts that have data, if the file is sparse.
    pub sparse: Option<Vec<Segment>>,
}

/// Reads an archive entry by entry.
#[derive(Debug)]
pub struct Archive<S> {
    stream: S,
    /// Bytes that were passed over.
    position: u64,
    /// Bytes of the current entry's content that were not read.
    content: u64,
    /// Padding after them.
    padding: u64,
    headers: u64,
    path: Option<Vec<u8>>,
}

impl<S: Stream> Archive<S> {
    /// Reads from a stream.
    pub fn new(stream: S) -> Self {
        Archive {
            stream,
            position: 0,
            content: 0,
            padding: 0,
            headers: 0,
            path: None,
        }
    }

    /// Bytes of the archive that were read.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Headers that were read, extended ones included.
    pub fn headers(&self) -> u64 {
        self.headers
    }

    /// Path of the entry that is being read, if it is known.
    pub fn path(&self) -> Option<&[u8]> {
        self.path.as_deref()
    }

    /// Passes over what is left of an entry and reads the next one; `None` at the end of the archive.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, Fault> {
        self.path = None;
        let mut extensions = Extensions::default();
        let mut extended = false;
        loop {
            self.skip_content()?;
            let Some(block) = self.header_block()? else {
                return if extended { Err(Fault::Truncated) } else { Ok(None) };
            };
            if is_zero(&block) {
                let ended = !extended && self.header_block()?.is_none_or(|second| is_zero(&second));
                return if ended { Ok(None) } else { Err(Fault::BadHeader) };
            }
            let header = header::parse(&block)?;
            self.headers += 1;
            let typeflag = header.typeflag;
            if !matches!(typeflag, b'x' | b'X' | b'g' | b'L' | b'K') {
                return self.entry(header, extensions).map(Some);
            }
            extended = true;
            self.set_content(header.size)?;
            match typeflag {
                b'L' => extensions.path = Some(text(&self.extended_header()?).to_vec()),
                b'K' => extensions.link = Some(text(&self.extended_header()?).to_vec()),
                // Global headers hold comments in practice, and those who unpack images ignore them.
                b'g' => extended = false,
                _ => pax::parse(&self.extended_header()?, &mut extensions)?,
            }
        }
    }

    /// Reads the content of the regular file that `next_entry` returned last.
    pub fn copy(&mut self, entry: &Entry, sink: &mut dyn Sink) -> Result<(), Fault> {
        let Kind::File(size) = entry.kind else {
            return Ok(());
        };
        let Some(segments) = &entry.sparse else {
            return self.pass(size, |bytes| sink.data(bytes));
        };
        let mut at = 0;
        for segment in segments {
            if segment.offset > at {
                sink.zeros(segment.offset - at)?;
            }
            self.pass(segment.length, |bytes| sink.data(bytes))?;
            at = segment.offset + segment.length;
        }
        if size > at { sink.zeros(size - at) } else { Ok(()) }
    }

    /// Reads to the end of the stream after the last entry.
    pub fn finish(mut self) -> Result<S, Fault> {
        let mut trailer = 0;
        loop {
            let count = self.stream.fill()?.len();
            if count == 0 {
                return Ok(self.stream);
            }
            self.stream.consume(count);
            self.position += count as u64;
            trailer += count as u64;
            if trailer > MAX_TRAILER {
                return Err(Fault::TrailingData);
            }
        }
    }

    fn entry(&mut self, header: Header, extensions: Extensions) -> Result<Entry, Fault> {
        let path = extensions.sparse_path.or(extensions.path).unwrap_or(header.path);
        self.path = Some(path.clone());
        let link = extensions.link.unwrap_or(header.link);
        let device = |number: u64| u32::try_from(number).map_err(|_| Fault::BadNumber("device number"));
        let mut sparse = None;
        let kind = match header.typeflag {
            b'0' | 0 | b'7' | b'S' if header.typeflag == b'S' || !path.ends_with(b"/") => {
                let stored = extensions.size.unwrap_or(header.size);
                self.set_content(stored)?;
                let old = match header.sparse {
                    Some(old) => Some((self.old_sparse_map(old.segments, old.extended)?, old.real_size)),
                    None if extensions.sparse_major == 1 => Some((
                        self.sparse_list()?,
                        extensions.sparse_size.ok_or(Fault::BadSparseMap)?,
                    )),
                    None => match extensions.sparse_map {
                        Some(map) => Some((map, extensions.sparse_size.ok_or(Fault::BadSparseMap)?)),
                        None => None,
                    },
                };
                match old {
                    None => Kind::File(stored),
                    Some((segments, size)) => {
                        sparse::check(&segments, size, self.content)?;
                        sparse = Some(segments);
                        Kind::File(size)
                    }
                }
            }
            b'0' | 0 | b'5' | b'7' => Kind::Directory,
            b'1' => Kind::HardLink(link),
            b'2' => Kind::Symlink(link),
            b'3' => Kind::CharDevice(device(header.major)?, device(header.minor)?),
            b'4' => Kind::BlockDevice(device(header.major)?, device(header.minor)?),
            b'6' => Kind::Fifo,
            other => return Err(Fault::UnsupportedType(char::from(other))),
        };
        let id = |extended: Option<u64>, plain, what| {
            u32::try_from(extended.unwrap_or(plain)).map_err(|_| Fault::BadNumber(what))
        };
        Ok(Entry {
            path,
            kind,
            mode: header.mode,
            uid: id(extensions.uid, header.uid, "uid")?,
            gid: id(extensions.gid, header.gid, "gid")?,
            mtime: extensions.mtime.unwrap_or(Time {
                seconds: header.mtime,
                nanoseconds: 0,
            }),
            xattrs: extensions.xattrs,
            sparse,
        })
    }

    /// Reads the blocks of a map that follow a header in GNU's old format. They are not part of the content.
    fn old_sparse_map(
        &mut self,
        mut segments: Vec<Segment>,
        mut extended: bool,
    ) -> Result<Vec<Segment>, Fault> {
        while extended {
            let block = self.header_block()?.ok_or(Fault::Truncated)?;
            segments.extend(sparse::parse_table(&block[..504])?);
            extended = block[504] != 0;
            if segments.len() > MAX_SEGMENTS {
                return Err(Fault::BadSparseMap);
            }
        }
        Ok(segments)
    }

    /// Reads the map that precedes the content in version 1.0.
    fn sparse_list(&mut self) -> Result<Vec<Segment>, Fault> {
        let (mut text, mut lines, mut needed) = (Vec::new(), 0, None);
        while needed.is_none_or(|needed| lines < needed) {
            if self.content < BLOCK as u64 || text.len() as u64 > MAX_EXTENDED {
                return Err(Fault::BadSparseMap);
            }
            self.pass(BLOCK as u64, |bytes| {
                lines += bytes.iter().filter(|&&byte| byte == b'\n').count();
                text.extend_from_slice(bytes);
                Ok(())
            })?;
            if needed.is_none() {
                needed = sparse::list_lines(&text)?;
            }
        }
        sparse::parse_list(&text)
    }

    /// The content of an extended header.
    fn extended_header(&mut self) -> Result<Vec<u8>, Fault> {
        if self.content > MAX_EXTENDED {
            return Err(Fault::LargeExtendedHeader(self.content));
        }
        let mut content = Vec::with_capacity(self.content as usize);
        self.pass(self.content, |bytes| {
            content.extend_from_slice(bytes);
            Ok(())
        })?;
        Ok(content)
    }

    fn set_content(&mut self, size: u64) -> Result<(), Fault> {
        // No archive is that long; without the check, sums of sizes could overflow.
        if size > i64::MAX as u64 {
            return Err(Fault::BadNumber("size"));
        }
        self.content = size;
        self.padding = size.next_multiple_of(BLOCK as u64) - size;
        Ok(())
    }

    fn skip_content(&mut self) -> Result<(), Fault> {
        self.pass(self.content, |_| Ok(()))?;
        self.content = self.padding;
        self.padding = 0;
        match self.pass(self.content, |_| Ok(())) {
            // Some tools (umoci insert) end a layer right after the last file's bytes.
            Err(Fault::Truncated) => {
                self.content = 0;
                Ok(())
            }
            passed => passed,
        }
    }

    /// Hands the next `count` bytes of the content on.
    fn pass(&mut self, count: u64, mut each: impl FnMut(&[u8]) -> Result<(), Fault>) -> Result<(), Fault> {
        let mut rest = count;
        while rest > 0 {
            let bytes = self.stream.fill()?;
            if bytes.is_empty() {
                return Err(Fault::Truncated);
            }
            let now = bytes.len().min(usize::try_from(rest).unwrap_or(usize::MAX));
            each(&bytes[..now])?;
            self.stream.consume(now);
            self.position += now as u64;
            rest -= now as u64;
        }
        self.content -= count;
        Ok(())
    }

    /// Reads a block, or nothing at the end of the stream.
    fn header_block(&mut self) -> Result<Option<HeaderBlock>, Fault> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            let bytes = self.stream.fill()?;
            if bytes.is_empty() {
                return if filled == 0 {
                    Ok(None)
                } else {
                    Err(Fault::Truncated)
                };
            }
            let now = bytes.len().min(BLOCK - filled);
            block[filled..filled + now].copy_from_slice(&bytes[..now]);
            self.stream.consume(now);
            self.position += now as u64;
            filled += now;
        }
        Ok(Some(block))
    }
}

//! A layer's bytes, decompressed in a thread of their own and hashed on the way.

use std::io::{self, BufReader, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Scope;

use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};

use crate::Fault;
use crate::tar::Stream;

/// Bytes that the threads hand over at a time.
const CHUNK: usize = 256 << 10;
/// Buffers on their way between the threads.
const CHUNKS: usize = 6;
/// Bytes of compressed data that are read at a time.
const INPUT: usize = 128 << 10;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// The uncompressed bytes of a layer.
#[derive(Debug)]
pub(crate) struct LayerStream {
    chunks: Receiver<io::Result<Vec<u8>>>,
    recycled: SyncSender<Vec<u8>>,
    current: Vec<u8>,
    read: usize,
    total: u64,
    limit: u64,
    hasher: Sha256,
}

impl LayerStream {
    /// Starts a thread that reads `input` and decompresses it if it is gzip or zstd, which its first bytes tell.
    ///
    /// More than `limit` bytes are a fault.
    pub(crate) fn start<'scope, R: Read + Send + 'scope>(
        scope: &'scope Scope<'scope, '_>,
        input: R,
        limit: u64,
    ) -> Self {
        let (sender, chunks) = sync_channel(CHUNKS);
        let (recycled, buffers) = sync_channel(CHUNKS);
        scope.spawn(move || {
            if let Err(error) = decompress(input, &sender, &buffers) {
                // The receiver being gone means that the layer failed for another reason.
                let _ = sender.send(Err(error));
            }
        });
        LayerStream {
            chunks,
            recycled,
            current: Vec::new(),
            read: 0,
            total: 0,
            limit,
            hasher: Sha256::new(),
        }
    }

    /// Number and SHA-256 of the bytes, which must have been read to the end.
    pub(crate) fn digest(self) -> (u64, [u8; 32]) {
        (self.total, self.hasher.finalize().into())
    }
}

impl Stream for LayerStream {
    fn fill(&mut self) -> Result<&[u8], Fault> {
        if self.read == self.current.len() {
            // An error means that the other thread came to the end.
            let Ok(chunk) = self.chunks.recv() else {
                return Ok(&[]);
            };
            // A full channel only means that the buffer is not needed.
            let _ = self
                .recycled
                .try_send(std::mem::replace(&mut self.current, chunk.map_err(Fault::Read)?));
            self.read = 0;
            self.total += self.current.len() as u64;
            if self.total > self.limit {
                return Err(Fault::TooManyBytes(self.limit));
            }
            self.hasher.update(&self.current);
        }
        Ok(&self.current[self.read..])
    }

    fn consume(&mut self, count: usize) {
        self.read += count;
    }
}

fn decompress(
    mut input: impl Read,
    chunks: &SyncSender<io::Result<Vec<u8>>>,
    buffers: &Receiver<Vec<u8>>,
) -> io::Result<()> {
    let mut magic = Vec::new();
    input.by_ref().take(ZSTD.len() as u64).read_to_end(&mut magic)?;
    let input = io::Cursor::new(magic.clone()).chain(input);
    if magic.starts_with(GZIP) {
        pump(
            MultiGzDecoder::new(BufReader::with_capacity(INPUT, input)),
            chunks,
            buffers,
        )
    } else if magic == ZSTD {
        pump(
            zstd::Decoder::with_buffer(BufReader::with_capacity(INPUT, input))?,
            chunks,
            buffers,
        )
    } else {
        pump(input, chunks, buffers)
    }
}

/// Sends everything that `input` yields, in chunks of full size but for the last.
fn pump(
    mut input: impl Read,
    chunks: &SyncSender<io::Result<Vec<u8>>>,
    buffers: &Receiver<Vec<u8>>,
) -> io::Result<()> {
    loop {
        let mut chunk = buffers.try_recv().unwrap_or_default();
        chunk.resize(CHUNK, 0);
        let mut filled = 0;
        while filled < CHUNK {
            match input.read(&mut chunk[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        chunk.truncate(filled);
        if filled == 0 || chunks.send(Ok(chunk)).is_err() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::thread;

    use super::*;

    fn read(input: &[u8], limit: u64) -> Result<(Vec<u8>, [u8; 32]), Fault> {
        thread::scope(|scope| {
            let mut stream = LayerStream::start(scope, input, limit);
            let mut all = Vec::new();
            loop {
                let bytes = stream.fill()?;
                if bytes.is_empty() {
                    break;
                }
                all.extend_from_slice(bytes);
                let count = bytes.len();
                stream.consume(count);
            }
            let (total, digest) = stream.digest();
            assert_eq!(total, all.len() as u64);
            Ok((all, digest))
        })
    }

    fn content() -> Vec<u8> {
        (0..500_000u32)
            .flat_map(|i| (i.wrapping_mul(2_654_435_761) >> 20).to_le_bytes())
            .collect()
    }

    #[test]
    fn compressions() {
        let plain = content();
        let digest: [u8; 32] = Sha256::digest(&plain).into();
        let (first, second) = plain.split_at(900_000);
        let mut gzip = Vec::new();
        for member in [first, second] {
            let mut encoder = flate2::write::GzEncoder::new(&mut gzip, flate2::Compression::fast());
            encoder.write_all(member).unwrap();
            encoder.finish().unwrap();
        }
        let mut zstd = zstd::encode_all(first, 1).unwrap();
        zstd.extend(zstd::encode_all(second, 1).unwrap());
        for input in [&plain, &gzip, &zstd] {
            assert!(read(input, plain.len() as u64).unwrap() == (plain.clone(), digest));
        }
        for input in [&gzip, &zstd] {
            assert!(matches!(
                read(&input[..input.len() - 5], u64::MAX),
                Err(Fault::Read(_))
            ));
            let mut damaged = input.clone();
            let middle = damaged.len() / 2;
            damaged[middle] ^= 1;
            assert!(matches!(read(&damaged, u64::MAX), Err(Fault::Read(_))));
        }
        assert!(read(b"", 0).unwrap().0.is_empty());
    }

    #[test]
    fn bombs() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&vec![0; 8 << 20]).unwrap();
        let bomb = encoder.finish().unwrap();
        assert!(matches!(read(&bomb, 2 << 20), Err(Fault::TooManyBytes(limit)) if limit == 2 << 20));
    }
}

//! Which compression a file has, by its first bytes.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use oci_spec::image::MediaType;

use crate::Error;
use crate::blob::CHUNK;
use crate::error::{IoContext, Result};

/// A compression, as far as the first bytes tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
    /// Known, and not supported: its name.
    Other(&'static str),
}

/// Looks at the first bytes of a file.
pub(super) fn detect(start: &[u8]) -> Compression {
    match start {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
        [0xfd, b'7', b'z', b'X', b'Z', ..] => Compression::Other("xz"),
        [b'B', b'Z', b'h', ..] => Compression::Other("bzip2"),
        _ => Compression::None,
    }
}

/// The contents of `file`, decompressed.
pub(super) fn decoder(file: File, path: &Path) -> Result<Box<dyn Read>> {
    let mut reader = BufReader::with_capacity(CHUNK, file);
    Ok(match detect(reader.fill_buf().context("failed to read", path)?) {
        Compression::None => Box::new(reader),
        Compression::Gzip => Box::new(MultiGzDecoder::new(reader)),
        Compression::Zstd => {
            Box::new(zstd::Decoder::with_buffer(reader).context("failed to decompress", path)?)
        }
        Compression::Other(name) => {
            let reason = format!("it is compressed with {name}, which is not supported");
            return Err(Error::Archive {
                path: path.to_owned(),
                reason,
            });
        }
    })
}

/// The media type of a layer file that nothing else is known of.
pub(super) fn layer_media_type(path: &Path) -> Result<MediaType> {
    let mut start = Vec::new();
    File::open(path)
        .and_then(|file| file.take(6).read_to_end(&mut start))
        .context("failed to read", path)?;
    match detect(&start) {
        Compression::None => Ok(MediaType::ImageLayer),
        Compression::Gzip => Ok(MediaType::ImageLayerGzip),
        Compression::Zstd => Ok(MediaType::ImageLayerZstd),
        Compression::Other(name) => Err(Error::Archive {
            path: path.to_owned(),
            reason: format!("a layer is compressed with {name}, which is not supported"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes() {
        assert_eq!(detect(&[0x1f, 0x8b, 8]), Compression::Gzip);
        assert_eq!(detect(&[0x28, 0xb5, 0x2f, 0xfd, 0]), Compression::Zstd);
        assert_eq!(detect(b"\xfd7zXZ\0"), Compression::Other("xz"));
        assert_eq!(detect(b"BZh9"), Compression::Other("bzip2"));
        assert_eq!(detect(b"oci-layout"), Compression::None);
        assert_eq!(detect(b""), Compression::None);
    }
}

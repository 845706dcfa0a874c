//! Builds an image layer by layer.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use std::thread;

use sha2::{Digest, Sha256};

use crate::apply::Image;
use crate::finish::{FIRST_BLOCK, finish};
use crate::output::{InodeArea, Output};
use crate::stream::LayerStream;
use crate::tar::Archive;
use crate::tree::Tree;
use crate::{BLOCK_SIZE, Error, Fault, LayerSummary, Options, Result, Summary};

/// Builds an image from layers, the lowest first.
#[derive(Debug)]
pub struct Builder {
    image: Image,
    options: Options,
    layers: usize,
    bytes: u64,
    entries: u64,
    failed: bool,
    /// Hash of the layers' digests, from which the image's identity is made.
    identity: Sha256,
}

impl Builder {
    /// Builds an image in `file`, which has to be a regular file and loses its content.
    ///
    /// # Errors
    /// The file cannot be truncated.
    pub fn new(file: File, options: Options) -> Result<Self> {
        file.set_len(0)
            .map_err(|error| Error::Finish(Fault::Write(error)))?;
        let file = Arc::new(file);
        let image = Image {
            output: Output::new(file.clone(), FIRST_BLOCK * BLOCK_SIZE as u64),
            area: InodeArea::new(file.clone()),
            file,
            tree: Tree::new(options.max_entries),
            serial: 0,
        };
        let identity = Sha256::new();
        Ok(Builder {
            image,
            options,
            layers: 0,
            bytes: 0,
            entries: 0,
            failed: false,
            identity,
        })
    }

    /// Applies the next layer: a tar archive, plain or compressed with gzip or zstd, as its first bytes tell.
    ///
    /// `expected` is the SHA-256 of the uncompressed archive, if it is known: an element of `rootfs.diff_ids` in the image's
    /// configuration. The reader is read to its end in a thread of its own; when the layer fails, this returns as soon
    /// as the reader's current `read` does.
    ///
    /// # Errors
    /// After a failed layer, the image cannot be continued or finished.
    pub fn add_layer(&mut self, layer: impl Read + Send, expected: Option<[u8; 32]>) -> Result<LayerSummary> {
        if self.failed {
            return Err(Error::Incomplete);
        }
        self.failed = true;
        if self.layers > 0 {
            self.image.tree.next_layer();
        }
        let limit = self.options.max_bytes - self.bytes;
        let summary = thread::scope(|scope| {
            let mut archive = Archive::new(LayerStream::start(scope, layer, limit));
            match self.apply(&mut archive) {
                Ok(()) => {}
                Err(source) => return Err(self.located(&archive, source)),
            }
            let (offset, entries) = (archive.position(), archive.headers());
            let at_end = |source| Error::Layer {
                layer: self.layers,
                offset,
                source,
            };
            let (bytes, diff_id) = archive.finish().map_err(at_end)?.digest();
            if let Some(expected) = expected
                && expected != diff_id
            {
                return Err(at_end(Fault::WrongDiffId {
                    expected: hex(&expected),
                    actual: hex(&diff_id),
                }));
            }
            Ok(LayerSummary {
                diff_id,
                bytes,
                entries,
            })
        })?;
        self.image.punch().map_err(|source| Error::Layer {
            layer: self.layers,
            offset: summary.bytes,
            source,
        })?;
        self.identity.update(summary.diff_id);
        self.bytes += summary.bytes;
        self.entries += summary.entries;
        self.layers += 1;
        self.failed = false;
        Ok(summary)
    }

    /// Writes what follows from all layers, the superblock last.
    ///
    /// Nothing is flushed: a caller that needs the image to survive a crash of the host calls [`File::sync_all`] on a
    /// handle of its own before it gives the file its final name.
    ///
    /// # Errors
    /// A layer failed before, or the output cannot be written.
    pub fn finish(self) -> Result<Summary> {
        if self.failed {
            return Err(Error::Incomplete);
        }
        let digest = self.identity.finalize();
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&digest[..16]);
        // Marks a UUID that is made from application-specific data (RFC 9562, version 8).
        uuid[6] = uuid[6] & 0x0f | 0x80;
        uuid[8] = uuid[8] & 0x3f | 0x80;
        finish(self.image, uuid).map_err(Error::Finish)
    }

    fn apply(&mut self, archive: &mut Archive<LayerStream>) -> std::result::Result<(), Fault> {
        while let Some(entry) = archive.next_entry()? {
            if self.entries + archive.headers() > self.options.max_entries {
                return Err(Fault::TooManyEntries(self.options.max_entries));
            }
            self.image.apply(archive, &entry)?;
        }
        Ok(())
    }

    fn located(&self, archive: &Archive<LayerStream>, source: Fault) -> Error {
        let layer = self.layers;
        match archive.path() {
            Some(path) => Error::Entry {
                layer,
                path: String::from_utf8_lossy(path).into_owned(),
                source,
            },
            None => Error::Layer {
                layer,
                offset: archive.position(),
                source,
            },
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

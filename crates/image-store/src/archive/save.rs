//! Saving images as a tar archive of an OCI layout (behaviour reference, 19.7).

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use container_resource::ImageDescription;
use oci_spec::image::{Digest, ImageIndex, MediaType};
use tokio_util::sync::CancellationToken;

use super::members::BLOBS;
use crate::blob::CHUNK;
use crate::content::ContentStore;
use crate::error::{IoContext, Result};
use crate::export::{self, Export};
use crate::{Error, digest};

/// What the output is called in errors.
const OUTPUT: &str = "the archive";

/// Writes `exports`, which are what is handed on of `images`. The same images give the same bytes.
pub(crate) fn save(
    content: &ContentStore,
    images: &[ImageDescription],
    exports: &[Export],
    output: File,
    cancelled: &CancellationToken,
) -> Result<()> {
    let mut archive = Archive {
        builder: tar::Builder::new(BufWriter::with_capacity(CHUNK, output)),
        written: HashSet::new(),
        cancelled,
    };
    archive.directory("blobs/")?;
    archive.directory(BLOBS)?;
    for export in exports {
        for blob in &export.blobs {
            archive.blob(content, blob.digest())?;
        }
        for document in &export.documents {
            archive.document(document.descriptor.digest(), &document.bytes)?;
        }
    }
    let named = images.iter().zip(exports);
    let mut index = ImageIndex::default();
    index.set_schema_version(2);
    index.set_media_type(Some(MediaType::ImageIndex));
    index.set_manifests(
        named
            .map(|(image, export)| export::named(&export.root, &image.reference))
            .collect(),
    );
    let index = serde_json::to_vec(&index)
        .map_err(io::Error::from)
        .context("failed to encode", OUTPUT)?;
    archive.file("index.json", index.len() as u64, &mut &index[..])?;
    let layout = br#"{"imageLayoutVersion":"1.0.0"}"#;
    archive.file("oci-layout", layout.len() as u64, &mut &layout[..])?;
    let written = archive.builder.into_inner().and_then(|mut output| output.flush());
    written.context("failed to write", OUTPUT)
}

struct Archive<'a> {
    builder: tar::Builder<BufWriter<File>>,
    written: HashSet<Digest>,
    cancelled: &'a CancellationToken,
}

impl Archive<'_> {
    fn directory(&mut self, name: &str) -> Result<()> {
        let mut header = header(0o755, 0);
        header.set_entry_type(tar::EntryType::Directory);
        self.builder
            .append_data(&mut header, name, io::empty())
            .context("failed to write", OUTPUT)
    }

    fn blob(&mut self, content: &ContentStore, digest: &Digest) -> Result<()> {
        if !self.written.insert(digest.clone()) {
            return Ok(());
        }
        let path = content.path(digest)?;
        let mut file = content.open_blob(digest)?;
        let size = file.metadata().context("failed to read", &path)?.len();
        self.file(&blob_name(digest)?, size, &mut file)
    }

    fn document(&mut self, digest: &Digest, bytes: &[u8]) -> Result<()> {
        if !self.written.insert(digest.clone()) {
            return Ok(());
        }
        self.file(&blob_name(digest)?, bytes.len() as u64, &mut &bytes[..])
    }

    fn file(&mut self, name: &str, size: u64, reader: &mut dyn Read) -> Result<()> {
        let cancelled = self.cancelled;
        let mut reader = Cancellable { reader, cancelled };
        let written = self
            .builder
            .append_data(&mut header(0o644, size), Path::new(name), &mut reader);
        if cancelled.is_cancelled() {
            return Err(Error::Cancelled);
        }
        written.context("failed to write", OUTPUT)
    }
}

fn blob_name(digest: &Digest) -> Result<String> {
    Ok(format!("{BLOBS}{}", digest::hex(digest)?))
}

fn header(mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

/// Fails when nobody waits for the archive any more.
struct Cancellable<'a> {
    reader: &'a mut dyn Read,
    cancelled: &'a CancellationToken,
}

impl Read for Cancellable<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancelled.is_cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        self.reader.read(buffer)
    }
}

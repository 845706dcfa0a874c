//! Loading images from OCI layouts, OCI archives and Docker archives (behaviour reference, 19.7).
//!
//! Everything is first staged in an ingest session and checked to be complete; only then do blobs get their final
//! names, and the caller writes the references last.

mod compression;
mod docker;
mod layout;
mod members;
mod save;
mod source;

use std::fs::File;
use std::path::Path;

use container_resource::ImageDescription;
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::content::Ingest;
use crate::error::{IoContext, Result};
use members::Members;
use source::Source;

pub(crate) use save::save;

/// What was found in an archive.
#[derive(Debug)]
pub struct Loaded {
    /// The images; their blobs are stored.
    pub images: Vec<ImageDescription>,
    /// Members that were skipped because they could reach outside or are of a kind that images do not have.
    pub rejected: Vec<String>,
}

/// Takes the images of the archive or directory `path` in. With `force`, hostile members are skipped, otherwise they
/// fail the whole archive.
pub(crate) fn load(
    path: &Path,
    force: bool,
    ingest: &Ingest,
    cancelled: &CancellationToken,
) -> Result<Loaded> {
    let archive_error = |reason: &str| Error::Archive {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    let metadata = std::fs::metadata(path).context("failed to open", path)?;
    let (source, rejected) = if metadata.is_dir() {
        (Source::directory(path, ingest), Vec::new())
    } else if metadata.is_file() {
        let file = File::open(path).context("failed to open", path)?;
        let members = Members::stage(compression::decoder(file, path)?, path, ingest, cancelled)?;
        if !force && !members.rejected.is_empty() {
            return Err(Error::RejectedMembers(members.rejected));
        }
        let rejected = members.rejected.clone();
        (Source::archive(path, members, ingest), rejected)
    } else {
        return Err(archive_error("it is neither a file nor a directory"));
    };
    let images = if source.has("index.json") {
        layout::import(&source)?
    } else if source.has("manifest.json") {
        docker::import(&source)?
    } else {
        return Err(archive_error(
            "it has neither index.json nor manifest.json, so it holds no images",
        ));
    };
    if images.is_empty() {
        return Err(archive_error("it holds no images"));
    }
    source.publish()?;
    Ok(Loaded { images, rejected })
}

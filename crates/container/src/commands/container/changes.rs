//! What a container has changed of its image, in a file of its own.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::Path;

use container_client::ApiClient;
use container_client::api::ChangesOptions;

use crate::error::Failure;

/// Reads the changes of the container `id` into a file without a name on the disk that `directory` is on, so that the
/// container stands still no longer than that takes.
pub(super) async fn read(
    api: &ApiClient,
    id: &str,
    options: ChangesOptions,
    directory: &Path,
) -> Result<File, Failure> {
    let failed = |error| {
        Failure::error(format!(
            "failed to make a file in {}: {error}",
            directory.display()
        ))
    };
    let mut file = tempfile::tempfile_in(directory).map_err(failed)?;
    let output = file.try_clone().map_err(failed)?;
    api.changes(id, options, output.into()).await?;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    Ok(file)
}

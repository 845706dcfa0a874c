//! Finding the containers of an earlier server.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use container_client::bundle::START_FILE;
use container_client::{Bundle, BundleConfiguration};
use container_resource::name::{is_container_id, random_id};

use super::Containers;
use super::container::Container;
use crate::whole;

/// How many bundles are read at the same time.
const READERS: usize = 8;

impl Containers {
    /// Reads every bundle, and nothing else: no helper is asked. Blocks.
    ///
    /// Bundles that cannot be read are set aside, not deleted. What a crash left behind is removed.
    ///
    /// # Errors
    /// The directory cannot be created or read.
    pub(crate) fn load(&self) -> io::Result<()> {
        let directory = self.directory();
        fs::create_dir_all(&directory)?;
        let (mut bundles, mut leftovers) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if whole::is_leftover(&name) {
                leftovers.push(entry.path());
            } else if is_container_id(&name) && entry.file_type()?.is_dir() {
                bundles.push((name, entry.path()));
            }
        }
        let share = bundles.len().div_ceil(READERS).max(1);
        std::thread::scope(|scope| {
            for some in bundles.chunks(share) {
                scope.spawn(move || {
                    for (id, path) in some {
                        self.load_one(id, path);
                    }
                });
            }
        });
        // The server does not wait for this.
        std::thread::spawn(move || leftovers.iter().for_each(|path| whole::remove(path)));
        Ok(())
    }

    fn load_one(&self, id: &str, path: &Path) {
        match read(id, Bundle::new(path)) {
            Ok((bundle, record)) => {
                // These two are only a history: a damaged one is as good as none.
                let started = bundle
                    .load_start()
                    .ok()
                    .flatten()
                    .map(|record| record.started_date);
                let exit = bundle.load_exit().ok().flatten();
                self.0
                    .table
                    .insert(Container::found(bundle, record, started, exit));
            }
            Err(error) => match set_aside(id, path) {
                Ok(aside) => {
                    tracing::error!(id, %error, aside = %aside.display(), "set a damaged bundle aside");
                }
                Err(failure) => tracing::error!(id, %error, %failure, "failed to set a damaged bundle aside"),
            },
        }
    }
}

/// Reads a bundle. One that was to be renamed when the earlier server ended gets its name now.
fn read(id: &str, bundle: Bundle) -> io::Result<(Bundle, BundleConfiguration)> {
    let record = bundle.load_configuration()?;
    let named = &record.configuration.id;
    if named == id {
        return Ok((bundle, record));
    }
    let renamed = Bundle::new(bundle.path().with_file_name(named));
    if !is_container_id(named) || renamed.path().exists() {
        let text = format!("it belongs to container {named:?}");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    fs::rename(bundle.path(), renamed.path())?;
    Ok((renamed, record))
}

fn set_aside(id: &str, path: &Path) -> io::Result<PathBuf> {
    let date = container_resource::time::now()
        .strftime("%Y%m%dT%H%M%SZ")
        .to_string();
    let mut aside = path.with_file_name(format!(".broken-{id}-{date}"));
    if aside.exists() {
        aside = path.with_file_name(format!(".broken-{id}-{date}-{}", random_id()));
    }
    fs::rename(path, &aside)?;
    Ok(aside)
}

/// Whether the bundle was ever started.
pub(super) fn was_started(bundle: &Bundle) -> bool {
    bundle.path().join(START_FILE).exists()
}

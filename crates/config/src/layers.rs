//! Reading and merging the configuration files, key by key (behaviour reference, 7.1).

use std::io;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::schema::{DEFAULT_KERNEL_DIGEST, DEFAULT_KERNEL_URL, SystemConfiguration};
use crate::{Roots, snapshot};

/// Why the configuration could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file exists and cannot be read or is not TOML.
    #[error("failed to load configuration from '{path}': {reason}")]
    Load {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A key has a value of the wrong type.
    #[error("failed to decode configuration: {0}")]
    Decode(String),
    /// A kernel archive without a digest to check it against.
    #[error("kernel.digest is required when kernel.url is not the default URL")]
    MissingKernelDigest,
}

/// The configuration of the installation at `roots`: the published copy of the user's file, then the site's defaults
/// in `<install root>/etc/container/config.toml`, then the built-in defaults. The first layer that has a key wins.
///
/// # Errors
/// A file is unreadable or malformed, or a value has the wrong type. Missing files are fine.
pub fn load(roots: &Roots) -> Result<SystemConfiguration, Error> {
    let mut merged = Table::new();
    for path in [
        snapshot::path(&roots.app),
        roots.install.join("etc/container/config.toml"),
    ] {
        if let Some(layer) = read(&path)? {
            fill(&mut merged, layer);
        }
    }
    let mut config: SystemConfiguration = Value::Table(merged)
        .try_into()
        .map_err(|error: toml::de::Error| Error::Decode(one_line(&error)))?;
    if config.kernel.digest.is_none() {
        if config.kernel.url != DEFAULT_KERNEL_URL {
            return Err(Error::MissingKernelDigest);
        }
        config.kernel.digest = Some(DEFAULT_KERNEL_DIGEST.to_owned());
    }
    Ok(config)
}

/// Reads one layer; `None` when the file does not exist.
pub(crate) fn read(path: &Path) -> Result<Option<Table>, Error> {
    let failed = |reason: String| Error::Load {
        path: path.to_owned(),
        reason,
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error.to_string())),
    };
    text.parse().map(Some).map_err(|error| failed(one_line(&error)))
}

/// Adds the keys of `layer` that `merged` does not have.
fn fill(merged: &mut Table, layer: Table) {
    for (key, value) in layer {
        match (merged.get_mut(&key), value) {
            (Some(Value::Table(section)), Value::Table(values)) => fill(section, values),
            (Some(_), _) => {}
            (None, value) => {
                merged.insert(key, value);
            }
        }
    }
}

fn one_line(error: &toml::de::Error) -> String {
    error.message().lines().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn roots(user: &str, site: &str) -> io::Result<(tempfile::TempDir, Roots)> {
        let directory = tempfile::tempdir()?;
        let roots = Roots {
            app: directory.path().join("app"),
            install: directory.path().into(),
            log: None,
        };
        fs::create_dir_all(roots.app.join("config"))?;
        fs::create_dir_all(roots.install.join("etc/container"))?;
        fs::write(roots.app.join("config/config.toml"), user)?;
        fs::write(roots.install.join("etc/container/config.toml"), site)?;
        Ok((directory, roots))
    }

    fn loaded(user: &str, site: &str) -> Result<SystemConfiguration, String> {
        let (_directory, roots) = roots(user, site).map_err(|error| error.to_string())?;
        load(&roots).map_err(|error| error.to_string())
    }

    #[test]
    fn layers_merge_key_by_key() {
        let config = loaded(
            "[container]\ncpus = 2\n[plugin.x]\nanything = 1\n",
            "[container]\ncpus = 8\nmemory = \"2g\"\n",
        );
        let container = config.map(|config| (config.container.cpus, config.container.memory.bytes()));
        assert_eq!(container, Ok((2, 2 << 30)));
    }

    #[test]
    fn errors_name_the_file_or_the_key() {
        let error = loaded("[container", "").err().unwrap_or_default();
        assert!(
            error.starts_with("failed to load configuration from '"),
            "{error}"
        );
        assert!(!error.contains('\n'));
        let error = loaded("[container]\ncpus = \"many\"", "")
            .err()
            .unwrap_or_default();
        assert!(error.starts_with("failed to decode configuration: "), "{error}");
    }

    #[test]
    fn another_kernel_needs_a_digest() {
        assert_eq!(
            loaded("[kernel]\nurl = \"https://example.com/k.tar\"", "")
                .err()
                .as_deref(),
            Some("kernel.digest is required when kernel.url is not the default URL")
        );
        let config = loaded("", "").map(|config| config.kernel.digest);
        assert_eq!(config, Ok(Some(DEFAULT_KERNEL_DIGEST.to_owned())));
    }
}

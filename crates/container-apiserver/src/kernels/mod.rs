//! Kernels: installing them, and which one is the default (behaviour reference, 23.5).

mod archive;
mod digest;
mod download;
mod store;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use container_client::api::InstallKernelRequest;
use container_ipc::{Error, Progress};
use container_resource::{Kernel, KernelCommandLine, Platform};

use self::digest::Sha256Digest;
use self::store::Store;
use crate::work::{Work, blocking};

/// The directory below the application root that holds the kernels.
pub(crate) const DIRECTORY: &str = "kernels";

/// The kernels of one installation. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Kernels {
    store: Arc<Store>,
    work: Work,
}

/// Where an archive is.
enum Source {
    File(PathBuf),
    Url(String),
}

impl Kernels {
    /// The kernels below `app_root`.
    ///
    /// # Errors
    /// Their directory cannot be created.
    pub(crate) fn open(app_root: &Path, work: Work) -> Result<Self, Error> {
        let store = Store::open(app_root.join(DIRECTORY))?;
        Ok(Self {
            store: Arc::new(store),
            work,
        })
    }

    /// Installs a kernel and makes it the default of its platform.
    ///
    /// # Errors
    /// The file, the archive or its member is missing, the archive's digest is not the expected one, it cannot be
    /// downloaded, or a kernel of that name is installed and is not to be replaced.
    pub(crate) async fn install(
        &self,
        request: InstallKernelRequest,
        progress: Progress,
    ) -> Result<(), Error> {
        let store = Arc::clone(&self.store);
        self.work
            .finish(async move { install(store, request, progress).await })
            .await
    }

    /// The default kernel of `platform`.
    ///
    /// # Errors
    /// `notFound` when none is installed.
    pub(crate) fn default(&self, platform: &Platform) -> Result<Kernel, Error> {
        let path = self.store.default(&platform.architecture)?;
        Ok(Kernel {
            path,
            platform: platform.clone(),
            command_line: KernelCommandLine::default(),
        })
    }
}

async fn install(store: Arc<Store>, request: InstallKernelRequest, progress: Progress) -> Result<(), Error> {
    let InstallKernelRequest {
        kernel_file_path,
        kernel_tar_url,
        kernel_force,
        kernel_digest,
        system_platform,
    } = request;
    let name = store::file_name(&kernel_file_path)?;
    let architecture = system_platform.architecture;
    store::check_architecture(&architecture)?;
    store.check_free(&name, kernel_force)?;
    let digest = kernel_digest
        .as_deref()
        .map(str::parse::<Sha256Digest>)
        .transpose()?;
    let temporary = store.temporary();

    match kernel_tar_url.as_deref().map(source).transpose()? {
        None => {
            let kernel = temporary.clone();
            blocking(move || kernel.fill_from(Path::new(&kernel_file_path))).await?;
        }
        Some(Source::File(archive)) => {
            let kernel = temporary.clone();
            blocking(move || {
                if let Some(digest) = digest {
                    digest.check(&archive)?;
                }
                archive::extract(&archive, &kernel_file_path, kernel.path())
            })
            .await?;
        }
        Some(Source::Url(url)) => {
            let digest = digest.ok_or_else(|| {
                Error::invalid_argument(format!(
                    "kernel archive digest is required for remote URL '{url}'"
                ))
            })?;
            let archive = store.temporary();
            let found = download::fetch(&url, archive.path(), &progress).await?;
            digest.compare(&found)?;
            let kernel = temporary.clone();
            blocking(move || archive::extract(archive.path(), &kernel_file_path, kernel.path())).await?;
        }
    }
    blocking(move || {
        store.place(&temporary, &name, kernel_force)?;
        store.set_default(&name, &architecture)?;
        tracing::info!(name, architecture, "installed kernel");
        Ok(())
    })
    .await
}

/// An archive is named by an absolute path or by a URL.
fn source(text: &str) -> Result<Source, Error> {
    match text.split_once("://") {
        Some(("http" | "https", _)) => Ok(Source::Url(text.to_owned())),
        Some(("file", path)) => Ok(Source::File(path.into())),
        None if text.starts_with('/') => Ok(Source::File(text.into())),
        _ => Err(Error::invalid_argument(format!(
            "invalid remote URL '{text}' for argument '--tar'. Missing protocol?"
        ))),
    }
}

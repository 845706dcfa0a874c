//! What can go wrong, in Apple's words where behaviour reference 19 and 27.4 have them.

use std::io;
use std::path::{Path, PathBuf};

use container_ipc::ErrorCode;
use container_resource::Platform;
use container_resource::reference::InvalidReference;
use oci_spec::image::Digest;

use crate::registry::RegistryError;

/// This crate's results.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of the image store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No image of this name is stored.
    #[error("image with reference {0}")]
    ImageNotFound(String),
    /// The image has no variant for the platform.
    #[error("platform {0}")]
    UnsupportedPlatform(Platform),
    /// The blob is not stored.
    #[error("digest {0} not found")]
    BlobNotFound(Digest),
    /// The image has not been unpacked for the platform.
    #[error("image snapshot for {reference} with platform {platform}")]
    SnapshotNotFound {
        /// The image.
        reference: String,
        /// What was asked for.
        platform: Platform,
    },
    /// Nothing is stored of an image, or nothing for the platform.
    #[error("image {reference} has no content{}; available platforms: {}", for_platform(.platform.as_ref()), listed(.available))]
    NoContent {
        /// The image.
        reference: String,
        /// What was asked for; absent means any.
        platform: Option<Platform>,
        /// What there is.
        available: Vec<Platform>,
    },
    /// The caller's idea of an image is out of date.
    #[error("descriptor mismatch: expected {expected}, got {actual}")]
    DescriptorMismatch {
        /// The digest of what is stored.
        expected: Digest,
        /// The digest in the request.
        actual: Digest,
    },
    /// The text is not an image reference.
    #[error(transparent)]
    Reference(#[from] InvalidReference),
    /// The digest is not a SHA-256 one.
    #[error("unsupported digest {0}")]
    UnsupportedDigest(Digest),
    /// The bytes are not those that their digest names.
    #[error("content is corrupt: expected digest {expected}, got {actual}")]
    DigestMismatch {
        /// The digest that was asked for.
        expected: Digest,
        /// The digest of what arrived.
        actual: Digest,
    },
    /// The bytes are more or fewer than their descriptor says.
    #[error("content {digest} has {actual} bytes instead of {expected}")]
    SizeMismatch {
        /// The content's digest.
        digest: Digest,
        /// Bytes according to the descriptor.
        expected: u64,
        /// Bytes that arrived, or one more than expected when the rest was not looked at.
        actual: u64,
    },
    /// A document inside an image breaks its format.
    #[error("malformed {kind} {digest}: {reason}")]
    Malformed {
        /// What it should have been, such as `image manifest`.
        kind: &'static str,
        /// Its digest.
        digest: Digest,
        /// What is wrong.
        reason: String,
    },
    /// An archive or layout cannot be loaded.
    #[error("cannot load {}: {reason}", path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An archive has members that could reach outside, or of kinds an archive of images does not have.
    #[error("cannot load tar image with rejected paths: {0:?}")]
    RejectedMembers(Vec<String>),
    /// A layer cannot be turned into a file system.
    #[error("failed to unpack layer {digest}: {reason}")]
    Layer {
        /// The layer.
        digest: Digest,
        /// What is wrong with it.
        reason: String,
    },
    /// The list of images could not be read, so that nothing may be called an orphan.
    #[error("image references were unreadable and are kept at {}; remove that file to allow cleaning up", _0.display())]
    ReferencesSetAside(PathBuf),
    /// A registry does not give what was asked for.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Another process has this store open.
    #[error("image store at {} is in use by another process", _0.display())]
    InUse(PathBuf),
    /// The operation was given up.
    #[error("operation cancelled")]
    Cancelled,
    /// The file system refused.
    #[error("{action} {}", path.display())]
    Io {
        /// What was being done, such as `failed to open`.
        action: &'static str,
        /// What it was done to.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

fn for_platform(platform: Option<&Platform>) -> String {
    platform.map_or_else(String::new, |platform| format!(" for platform {platform}"))
}

fn listed(platforms: &[Platform]) -> String {
    if platforms.is_empty() {
        return "none".to_owned();
    }
    let platforms: Vec<String> = platforms.iter().map(ToString::to_string).collect();
    platforms.join(", ")
}

impl Error {
    /// The code under which callers see this failure.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::ImageNotFound(_)
            | Self::BlobNotFound(_)
            | Self::SnapshotNotFound { .. }
            | Self::NoContent { .. } => ErrorCode::NotFound,
            Self::UnsupportedPlatform(_) | Self::UnsupportedDigest(_) => ErrorCode::Unsupported,
            Self::DescriptorMismatch { .. }
            | Self::Reference(_)
            | Self::DigestMismatch { .. }
            | Self::SizeMismatch { .. }
            | Self::Malformed { .. }
            | Self::Archive { .. }
            | Self::RejectedMembers(_)
            | Self::Layer { .. } => ErrorCode::InvalidArgument,
            Self::ReferencesSetAside(_) | Self::InUse(_) => ErrorCode::InvalidState,
            Self::Registry(error) => error.code(),
            Self::Cancelled => ErrorCode::Cancelled,
            Self::Io { .. } => ErrorCode::InternalError,
        }
    }
}

impl From<Error> for container_ipc::Error {
    /// One line: what failed and, after a colon, why.
    fn from(error: Error) -> Self {
        let mut message = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            message.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        Self::new(error.code(), message)
    }
}

/// Says what was being done to which file when it failed.
pub(crate) trait IoContext<T> {
    fn context(self, action: &'static str, path: impl AsRef<Path>) -> Result<T>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn context(self, action: &'static str, path: impl AsRef<Path>) -> Result<T> {
        self.map_err(|source| Error::Io {
            action,
            path: path.as_ref().to_owned(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_with_the_reason() {
        let error: Result<()> = Err(io::Error::from_raw_os_error(28)).context("failed to write", "/x");
        let sent = container_ipc::Error::from(error.unwrap_err());
        assert_eq!(
            sent.message,
            "failed to write /x: No space left on device (os error 28)"
        );
        assert_eq!(sent.code, ErrorCode::InternalError);
    }

    #[test]
    fn apples_texts() {
        let platform = Platform::new("linux", "arm64", None);
        assert_eq!(
            Error::UnsupportedPlatform(platform).to_string(),
            "platform linux/arm64"
        );
        let no_content = |available| Error::NoContent {
            reference: "x".into(),
            platform: Some(Platform::new("linux", "riscv64", None)),
            available,
        };
        assert_eq!(
            no_content(vec![
                Platform::new("linux", "amd64", None),
                Platform::new("linux", "386", None)
            ])
            .to_string(),
            "image x has no content for platform linux/riscv64; available platforms: linux/amd64, linux/386"
        );
        assert!(no_content(vec![]).to_string().ends_with("platforms: none"));
        assert_eq!(
            Error::ImageNotFound("x".into()).to_string(),
            "image with reference x"
        );
        assert_eq!(
            Error::RejectedMembers(vec!["/etc/passwd".into(), "../x".into()]).to_string(),
            r#"cannot load tar image with rejected paths: ["/etc/passwd", "../x"]"#
        );
    }
}

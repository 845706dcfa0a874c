//! Where the sockets and process records of one installation live.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::Error;

/// The longest runtime directory, in bytes: together with a socket's file name it fits the 104 bytes that
/// the smallest `sun_path` (macOS) has.
const MAX_DIRECTORY_BYTES: usize = 60;

/// The directory for the sockets and process records of the installation whose app root is `app_root`.
///
/// It depends on the app root and the user alone, not on the environment, so that every shell of the user
/// finds the same services, and two app roots never meet: `<app root>/run`, or `/tmp/container-<uid>-<hash>`
/// when that path is too long for a socket's name. (`$XDG_RUNTIME_DIR` is not used: it is missing in some
/// sessions and removed with the last one, while containers keep running.) Nothing is created;
/// [`ensure_private_dir`] does that.
pub fn runtime_dir(app_root: &Path) -> PathBuf {
    let root = std::fs::canonicalize(app_root)
        .or_else(|_| std::path::absolute(app_root))
        .unwrap_or_else(|_| app_root.to_path_buf());
    choose(&root, rustix::process::geteuid().as_raw())
}

fn choose(root: &Path, uid: u32) -> PathBuf {
    let inside = root.join("run");
    if inside.as_os_str().len() <= MAX_DIRECTORY_BYTES {
        return inside;
    }
    PathBuf::from(format!(
        "/tmp/container-{uid}-{}",
        short_hash(root.as_os_str().as_bytes())
    ))
}

/// Sixteen hexadecimal digits that stand for `bytes`.
pub fn short_hash(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes)
        .iter()
        .take(8)
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// Creates `path` for this user alone, parents included, or checks that it is such a directory already: a
/// real directory, owned by the effective user, closed to everybody else.
pub fn ensure_private_dir(path: &Path) -> Result<(), Error> {
    let failed = |error: io::Error| {
        Error::internal(format!(
            "failed to create the directory {}: {error}",
            path.display()
        ))
    };
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(failed)?;
    }
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match check_private_dir(path) {
            Ok(None) => Ok(()),
            Ok(Some(reason)) => Err(Error::invalid_state(format!(
                "refusing to use {}: {reason}",
                path.display()
            ))),
            Err(error) => Err(failed(error)),
        },
        Err(error) => Err(failed(error)),
    }
}

/// Why `path` is not private to this user; `None` when it is.
pub(crate) fn check_private_dir(path: &Path) -> io::Result<Option<String>> {
    let metadata = std::fs::symlink_metadata(path)?;
    let uid = rustix::process::geteuid().as_raw();
    Ok(if !metadata.is_dir() {
        Some("it is not a directory".into())
    } else if metadata.uid() != uid {
        Some(format!("it belongs to user {}, not {uid}", metadata.uid()))
    } else if metadata.mode() & 0o077 != 0 {
        Some(format!(
            "its mode {:04o} lets other users in",
            metadata.mode() & 0o7777
        ))
    } else {
        None
    })
}

/// The file name, without extension, for the service called `name`: the name itself, or a hash and its end
/// when it is long or has characters that a file name should not have. At most 37 bytes; different names
/// give different files.
pub fn file_stem(name: &str) -> OsString {
    const MAX: usize = 37;
    const KEPT: usize = 20;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if name.len() <= MAX && !name.is_empty() && !name.starts_with('.') && name.chars().all(plain) {
        return name.into();
    }
    // The end of a service's name tells instances apart, so that part is worth keeping readable.
    let skipped = name.chars().count().saturating_sub(KEPT);
    let kept: String = name
        .chars()
        .skip(skipped)
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    format!("{}-{kept}", short_hash(name.as_bytes())).into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn short_roots_hold_their_own_directory_and_long_ones_get_a_hash() {
        let near = choose(Path::new("/home/user/.local/share/container"), 1000);
        assert_eq!(near, Path::new("/home/user/.local/share/container/run"));
        let long = PathBuf::from(format!("/home/{}", "x".repeat(200)));
        let far = choose(&long, 1000);
        assert!(
            far.to_str().unwrap().starts_with("/tmp/container-1000-"),
            "{far:?}"
        );
        assert!(far.as_os_str().len() <= MAX_DIRECTORY_BYTES);
        assert_ne!(far, choose(&long.join("y"), 1000));
        assert_ne!(far, choose(&long, 1001));
    }

    #[test]
    fn two_spellings_of_a_root_are_one() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().join("real");
        std::fs::create_dir(&real).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert_eq!(runtime_dir(&real), runtime_dir(&link));
    }

    #[test]
    fn stems_are_short_safe_and_distinct() {
        assert_eq!(file_stem("container-apiserver"), "container-apiserver");
        let id = "0b9c8f5e-5a66-4f0b-9d6c-64c9c9f0b6b1";
        let long = file_stem(&format!("container-runtime-linux.{id}"));
        assert!(long.len() <= 37, "{long:?}");
        assert!(long.to_str().unwrap().ends_with("64c9c9f0b6b1"));
        for name in ["", "..", "a/b", "a b", "x\0y", &"ü".repeat(50)] {
            let stem = file_stem(name);
            assert!(stem.len() <= 37 && !stem.as_bytes().contains(&b'/'), "{stem:?}");
            assert!(!stem.as_bytes().starts_with(b"."), "{stem:?}");
        }
        assert_ne!(file_stem("a/b"), file_stem("a_b"));
    }

    #[test]
    fn only_private_directories_are_accepted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/run");
        ensure_private_dir(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o700);
        ensure_private_dir(&path).unwrap();

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o750)).unwrap();
        let error = ensure_private_dir(&path).unwrap_err();
        assert!(
            error.message.contains("its mode 0750 lets other users in"),
            "{error}"
        );

        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path(), &link).unwrap();
        let error = ensure_private_dir(&link).unwrap_err();
        assert!(error.message.contains("not a directory"), "{error}");
    }
}

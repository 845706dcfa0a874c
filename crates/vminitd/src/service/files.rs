//! Mkdir, WriteFile, Stat.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

use container_sandbox::proto::{
    MkdirRequest, MkdirResponse, Stat, StatRequest, StatResponse, WriteFileRequest, WriteFileResponse,
};
use prost_types::Timestamp;

use crate::error::{Context, Result, blocking};
use crate::rooted::{Root, path_of};

/// Permission bits of a file for which none are given.
pub(super) const DEFAULT_MODE: u32 = 0o644;

/// Bits that a mode may have.
pub(super) const MODE_BITS: u32 = 0o7777;

pub(super) fn mkdir(request: &MkdirRequest) -> Result<MkdirResponse> {
    let what = || format!("failed to make directory {}", request.path);
    let is_new = !fs::exists(&request.path).context(what)?;
    DirBuilder::new()
        .recursive(request.all)
        .mode(0o755)
        .create(&request.path)
        .context(what)?;
    if is_new {
        // Whatever the file mode creation mask is.
        let permissions = Permissions::from_mode(request.perms & MODE_BITS);
        fs::set_permissions(&request.path, permissions).context(what)?;
    }
    Ok(MkdirResponse {})
}

pub(super) async fn write_file(request: WriteFileRequest) -> Result<WriteFileResponse> {
    blocking(move || {
        let what = || format!("failed to write {}", request.path);
        let flags = request.flags.unwrap_or_default();
        let path = Path::new(&request.path);
        if flags.create_parent_dirs {
            path.parent().map_or(Ok(()), fs::create_dir_all).context(what)?;
        }
        let mode = if request.mode == 0 {
            DEFAULT_MODE
        } else {
            request.mode & MODE_BITS
        };
        let is_new = !fs::exists(path).context(what)?;
        let mut file = OpenOptions::new()
            .write(true)
            .append(flags.append)
            .truncate(!flags.append)
            .create(flags.create_if_missing)
            .open(path)
            .context(what)?;
        if is_new {
            file.set_permissions(Permissions::from_mode(mode)).context(what)?;
        }
        file.write_all(&request.data).context(what)?;
        Ok(WriteFileResponse {})
    })
    .await
}

pub(super) fn stat(request: &StatRequest) -> StatResponse {
    let root = if request.root.is_empty() {
        "/"
    } else {
        &request.root
    };
    let found = Root::open(Path::new(root))
        .and_then(|root| root.locate(Path::new(&request.path)))
        .and_then(|path| fs::metadata(path_of(&path)));
    match found {
        Ok(metadata) => StatResponse {
            stat: Some(describe(&metadata)),
            error: String::new(),
        },
        Err(error) => StatResponse {
            stat: None,
            error: format!("failed to stat {}: {error}", request.path),
        },
    }
}

fn describe(metadata: &fs::Metadata) -> Stat {
    let time = |seconds, nanos: i64| {
        Some(Timestamp {
            seconds,
            nanos: nanos as i32,
        })
    };
    Stat {
        dev: metadata.dev(),
        ino: metadata.ino(),
        mode: metadata.mode(),
        nlink: metadata.nlink(),
        uid: metadata.uid(),
        gid: metadata.gid(),
        rdev: metadata.rdev(),
        size: metadata.size() as i64,
        blksize: metadata.blksize() as i64,
        blocks: metadata.blocks() as i64,
        atime: time(metadata.atime(), metadata.atime_nsec()),
        mtime: time(metadata.mtime(), metadata.mtime_nsec()),
        ctime: time(metadata.ctime(), metadata.ctime_nsec()),
    }
}

#[cfg(test)]
mod tests {
    use container_sandbox::proto::write_file_request::WriteFileFlags;

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn files_are_made_replaced_and_extended() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b");
        let request = |data: &[u8], flags| WriteFileRequest {
            path: path.to_str().unwrap().into(),
            data: data.into(),
            mode: 0,
            flags: Some(flags),
        };
        let create = WriteFileFlags {
            create_parent_dirs: true,
            create_if_missing: true,
            append: false,
        };
        assert!(
            write_file(request(
                b"x",
                WriteFileFlags {
                    create_if_missing: false,
                    ..create
                }
            ))
            .await
            .is_err()
        );
        write_file(request(b"long", create)).await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o644);
        write_file(request(b"ab", create)).await.unwrap();
        write_file(request(
            b"cd",
            WriteFileFlags {
                append: true,
                ..create
            },
        ))
        .await
        .unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"abcd");
    }

    #[test]
    fn directories_with_and_without_parents() {
        let directory = tempfile::tempdir().unwrap();
        let request = |path: &str, all| MkdirRequest {
            path: directory.path().join(path).to_str().unwrap().into(),
            all,
            perms: 0o777,
        };
        assert!(mkdir(&request("a/b", false)).is_err());
        mkdir(&request("a/b", true)).unwrap();
        mkdir(&request("a/b", true)).unwrap();
        assert!(mkdir(&request("a/b", false)).is_err());
        assert_eq!(
            fs::metadata(directory.path().join("a/b")).unwrap().mode() & 0o777,
            0o777
        );
    }

    #[test]
    fn paths_are_described_below_their_root() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("file"), "12345").unwrap();
        std::os::unix::fs::symlink("/file", directory.path().join("link")).unwrap();
        let root = directory.path().to_str().unwrap().to_owned();
        let reply = stat(&StatRequest {
            path: "/link".into(),
            root: root.clone(),
        });
        assert_eq!(reply.stat.unwrap().size, 5);
        let reply = stat(&StatRequest {
            path: "/none".into(),
            root,
        });
        assert!(reply.stat.is_none() && reply.error.starts_with("failed to stat /none"));
        assert!(
            stat(&StatRequest {
                path: "/proc/self".into(),
                root: String::new()
            })
            .stat
            .is_some()
        );
    }
}

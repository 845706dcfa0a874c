//! FillDirectory: an empty directory gets what another one has. An addition to Apple's service.

use std::fs;
use std::io::{self, BufReader, BufWriter};
use std::path::Path;
use std::thread;

use container_sandbox::proto::{FillDirectoryRequest, FillDirectoryResponse};

use super::{pack, unpack};
use crate::error::{Context, Result, blocking};
use crate::rooted::{Root, path_of};

/// Bytes that are moved at a time.
const CHUNK: usize = 128 << 10;

pub(in crate::service) async fn fill(request: FillDirectoryRequest) -> Result<FillDirectoryResponse> {
    blocking(move || {
        let what = || format!("failed to copy {} to {}", request.source, request.destination);
        let (root, source) = (Path::new(&request.root), Path::new(&request.source));
        let filled = fill_now(root, source, Path::new(&request.destination)).context(what)?;
        Ok(FillDirectoryResponse { filled })
    })
    .await
}

fn fill_now(root: &Path, source: &Path, destination: &Path) -> io::Result<bool> {
    if !is_empty(destination)? {
        return Ok(false);
    }
    let root = Root::open(root)?;
    match root
        .locate(source)
        .and_then(|found| fs::metadata(path_of(&found)))
    {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    }
    let target = Root::open(destination)?;
    let (reader, writer) = io::pipe()?;
    thread::scope(|scope| {
        let packing = scope.spawn(|| pack(&root, source, ".", true, BufWriter::with_capacity(CHUNK, writer)));
        let unpacked = unpack(
            &target,
            Path::new("/"),
            0,
            BufReader::with_capacity(CHUNK, reader),
        );
        let packed = packing.join().map_err(|_| io::Error::other("a thread failed"))?;
        // A reader that gave up says why.
        unpacked.and(packed)
    })?;
    Ok(true)
}

/// Nothing is in a directory but what a file system begins with.
fn is_empty(directory: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(directory)? {
        if entry?.file_name() != "lost+found" {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn only_an_empty_directory_is_filled() {
        let root = tempfile::tempdir().unwrap();
        let source = root.path().join("data");
        fs::create_dir_all(source.join("below")).unwrap();
        fs::write(source.join("below/file"), "image").unwrap();
        fs::set_permissions(&source, fs::Permissions::from_mode(0o1770)).unwrap();
        symlink("/data", root.path().join("way")).unwrap();
        let volume = tempfile::tempdir().unwrap();
        fs::create_dir(volume.path().join("lost+found")).unwrap();
        let fill = |source: &str| fill_now(root.path(), Path::new(source), volume.path()).unwrap();
        assert!(!fill("/none") && !fill("/data/below/file"));
        assert!(fill("/way"));
        let file = volume.path().join("below/file");
        assert_eq!(fs::read_to_string(&file).unwrap(), "image");
        let mode = fs::metadata(volume.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o1770);
        fs::write(&file, "own").unwrap();
        assert!(!fill("/way"));
        assert_eq!(fs::read_to_string(&file).unwrap(), "own");
    }
}

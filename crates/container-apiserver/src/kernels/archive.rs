//! Taking one file out of a tar archive, compressed or not.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::{Component, Path, PathBuf};

use container_ipc::Error;
use flate2::read::MultiGzDecoder;
use tar::{Archive, EntryType};

/// What an archive has under a name.
enum Found {
    /// The file, which has been written.
    File,
    /// A link to another member.
    Link(PathBuf),
}

/// Writes the file `member` of `archive` to `target`. A member that is a link is followed once.
///
/// # Errors
/// The archive is unreadable or of an unknown kind, or has no such file.
pub(super) fn extract(archive: &Path, member: &str, target: &Path) -> Result<(), Error> {
    let missing = |member: &Path| {
        let text = format!(
            "kernel archive {} has no file {}",
            archive.display(),
            member.display()
        );
        Error::not_found(text)
    };
    let member = normal(Path::new(member)).ok_or_else(|| missing(Path::new(member)))?;
    let find = |member: &Path| {
        let found = find(archive, member, target);
        found.map_err(|error| Error::internal(format!("failed to read {}: {error}", archive.display())))
    };
    match find(&member)? {
        None => Err(missing(&member)),
        Some(Found::File) => Ok(()),
        Some(Found::Link(linked)) => match find(&linked)? {
            Some(Found::File) => Ok(()),
            _ => Err(missing(&linked)),
        },
    }
}

fn find(archive: &Path, member: &Path, target: &Path) -> io::Result<Option<Found>> {
    let mut archive = Archive::new(open(archive)?);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let Some(path) = normal(&entry.path()?) else {
            continue;
        };
        if path != member {
            continue;
        }
        let linked = entry.link_name()?;
        return match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                io::copy(&mut entry, &mut File::create_new(target)?)?;
                Ok(Some(Found::File))
            }
            EntryType::Symlink => {
                let relative_to = path.parent().unwrap_or(Path::new(""));
                Ok(linked
                    .and_then(|linked| normal(&relative_to.join(linked)))
                    .map(Found::Link))
            }
            EntryType::Link => Ok(linked.and_then(|linked| normal(&linked)).map(Found::Link)),
            _ => Ok(None),
        };
    }
    Ok(None)
}

/// The archive behind its compression, which its first bytes tell.
fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    let mut file = File::open(path)?;
    let mut magic = [0; 6];
    let length = read_up_to(&mut file, &mut magic)?;
    file.rewind()?;
    let buffered = BufReader::with_capacity(128 << 10, file);
    Ok(match &magic[..length] {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(buffered)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::Decoder::with_buffer(buffered)?),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => {
            let text = "xz is not supported: compress it with zstd or gzip, or not at all";
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
        _ => Box::new(buffered),
    })
}

fn read_up_to(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match reader.read(&mut buffer[length..])? {
            0 => break,
            read => length += read,
        }
    }
    Ok(length)
}

/// A member's path without `.`, `..` and a leading slash; `None` when it leads out of the archive.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => normal.push(name),
            Component::ParentDir => {
                if !normal.pop() {
                    return None;
                }
            }
            Component::RootDir => normal = PathBuf::new(),
            Component::CurDir | Component::Prefix(_) => {}
        }
    }
    (!normal.as_os_str().is_empty()).then_some(normal)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    /// An archive with a link before its target, one behind it, a dead one, and one that leads to another.
    fn tar() -> io::Result<Vec<u8>> {
        let mut builder = tar::Builder::new(Vec::new());
        let link = |builder: &mut tar::Builder<Vec<u8>>, kind, path: &str, target: &str| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(0);
            builder.append_link(&mut header, path, target)
        };
        link(&mut builder, EntryType::Symlink, "opt/kata/before", "vmlinux-6")?;
        let mut header = tar::Header::new_gnu();
        header.set_size(6);
        header.set_mode(0o755);
        builder.append_data(&mut header, "./opt/kata/vmlinux-6", &b"kernel"[..])?;
        link(
            &mut builder,
            EntryType::Symlink,
            "opt/behind",
            "/opt/kata/../kata/vmlinux-6",
        )?;
        link(&mut builder, EntryType::Link, "opt/hard", "opt/kata/vmlinux-6")?;
        link(&mut builder, EntryType::Symlink, "opt/dead", "nothing")?;
        link(&mut builder, EntryType::Symlink, "opt/twice", "behind")?;
        link(
            &mut builder,
            EntryType::Symlink,
            "opt/outside",
            "../../etc/passwd",
        )?;
        builder.into_inner()
    }

    fn extracted(archive: &[u8], member: &str) -> Result<String, String> {
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let (path, target) = (directory.path().join("a"), directory.path().join("k"));
        std::fs::write(&path, archive).map_err(|error| error.to_string())?;
        extract(&path, member, &target).map_err(|error| error.to_string())?;
        std::fs::read_to_string(&target).map_err(|error| error.to_string())
    }

    #[test]
    fn members_are_found_in_every_compression() -> TestResult {
        let plain = tar()?;
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&plain)?;
        let zstd = zstd::encode_all(&plain[..], 1)?;
        for archive in [plain, gzip.finish()?, zstd] {
            for member in [
                "opt/kata/vmlinux-6",
                "/opt/kata/vmlinux-6",
                "opt/kata/before",
                "opt/behind",
                "opt/hard",
            ] {
                assert_eq!(extracted(&archive, member).as_deref(), Ok("kernel"), "{member}");
            }
        }
        Ok(())
    }

    #[test]
    fn what_is_not_a_file_is_refused() -> TestResult {
        let archive = tar()?;
        for member in [
            "opt/dead",
            "opt/twice",
            "opt/outside",
            "opt/kata",
            "nothing",
            "",
            "../x",
        ] {
            let error = extracted(&archive, member);
            assert!(
                error.as_ref().is_err_and(|text| text.contains("has no file")),
                "{member}: {error:?}"
            );
        }
        Ok(())
    }

    #[test]
    fn damaged_archives_are_errors() -> TestResult {
        let zstd = zstd::encode_all(&tar()?[..], 1)?;
        assert!(extracted(&zstd[..zstd.len() / 2], "opt/hard").is_err());
        assert!(extracted(b"", "opt/hard").is_err());
        assert!(extracted(b"neither tar nor anything else", "opt/hard").is_err());
        assert!(extracted(b"\xfd7zXZ\0....", "x").is_err_and(|text| text.contains("xz is not supported")));
        Ok(())
    }
}

//! Files of the host from and to tar archives, for `container copy`.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path};

use tar::{Archive, Builder, EntryType, Header};

/// Bits of a mode that an archive has.
const MODE_BITS: u32 = 0o7777;
/// Bytes that are written at a time.
const CHUNK: usize = 128 << 10;
/// What the tree that [`pack`] writes is called. Whoever reads it gives it another name.
const TOP: &str = "source";

/// Why an archive did not become files.
#[derive(Debug)]
pub enum Error {
    /// The archive ends early or is none.
    Archive(io::Error),
    /// What is on the host is in the way.
    Local(String),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Archive(error)
    }
}

/// Writes a file or a tree with modes, owners and times. A link at the end of `source` is followed, others are kept.
/// Sockets, pipes and devices are left out.
///
/// # Errors
/// A file cannot be read, or `to` cannot be written.
pub fn pack(source: &Path, to: impl Write) -> io::Result<()> {
    let mut archive = Builder::new(BufWriter::with_capacity(CHUNK, to));
    let source = source.canonicalize()?;
    pack_one(&mut archive, &source, Path::new(TOP))?;
    archive.into_inner()?.flush()
}

fn pack_one(archive: &mut Builder<impl Write>, source: &Path, name: &Path) -> io::Result<()> {
    let located = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", source.display()));
    let metadata = fs::symlink_metadata(source).map_err(located)?;
    let mut header = Header::new_gnu();
    header.set_mode(metadata.mode() & MODE_BITS);
    header.set_uid(metadata.uid().into());
    header.set_gid(metadata.gid().into());
    header.set_mtime(u64::try_from(metadata.mtime()).unwrap_or(0));
    header.set_size(0);
    let kind = metadata.file_type();
    if kind.is_dir() {
        header.set_entry_type(EntryType::Directory);
        archive.append_data(&mut header, name, io::empty())?;
        for entry in fs::read_dir(source).map_err(located)? {
            let entry = entry.map_err(located)?;
            pack_one(archive, &entry.path(), &name.join(entry.file_name()))?;
        }
    } else if kind.is_symlink() {
        header.set_entry_type(EntryType::Symlink);
        let target = fs::read_link(source).map_err(located)?;
        archive.append_link(&mut header, name, target)?;
    } else if kind.is_file() {
        header.set_entry_type(EntryType::Regular);
        header.set_size(metadata.len());
        let file = File::open(source).map_err(located)?;
        let exactly = file
            .take(metadata.len())
            .chain(io::repeat(0))
            .take(metadata.len());
        archive.append_data(&mut header, name, exactly)?;
    }
    Ok(())
}

/// Makes the files of an archive with one tree, which is called `name`, in the directory `parent`. Nothing gets out of
/// there, and no file gets more rights than its owner, group and others have. `directory`: the destination as it was given
/// when the tree must be a directory.
///
/// # Errors
/// The archive is broken, or a file cannot be made.
pub fn unpack(from: impl Read, parent: &Path, name: &str, directory: Option<&str>) -> Result<(), Error> {
    let local = |error: io::Error| {
        // The library puts the path before the reason.
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        Error::Local(format!("{error}{}", cause.unwrap_or_default()))
    };
    let mut archive = Archive::new(from);
    archive.set_preserve_ownerships(rustix::process::geteuid().is_root());
    let mut directories = Vec::new();
    let mut first = true;
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let top = path.components().next();
        let ours = match top {
            Some(Component::Normal(top)) => top == name || name == ".",
            Some(Component::CurDir) => name == ".",
            _ => false,
        };
        if !ours {
            let text = format!("unexpected entry {}", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, text).into());
        }
        let kind = entry.header().entry_type();
        if std::mem::take(&mut first) {
            let target = parent.join(name);
            match directory {
                Some(given) if !kind.is_dir() => {
                    return Err(Error::Local(format!("destination is not a directory: {given}")));
                }
                _ if kind.is_dir() && target.is_file() => {
                    let text = format!("cannot copy directory over existing file: {}", target.display());
                    return Err(Error::Local(text));
                }
                _ => fs::create_dir_all(parent)
                    .map_err(|error| Error::Local(format!("{}: {error}", parent.display())))?,
            }
        }
        match kind {
            // Their modes and times are set when everything in them is there.
            EntryType::Directory => directories.push(entry),
            EntryType::Regular | EntryType::Continuous | EntryType::Symlink | EntryType::Link => {
                entry.unpack_in(parent).map_err(local)?;
            }
            _ => {}
        }
    }
    directories.sort_by(|one, other| other.path_bytes().cmp(&one.path_bytes()));
    for mut directory in directories {
        directory.unpack_in(parent).map_err(local)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn packed(source: &Path) -> Vec<u8> {
        let mut bytes = Vec::new();
        pack(source, &mut bytes).expect("an archive");
        bytes
    }

    #[test]
    fn a_tree_goes_and_comes() {
        let from = tempfile::tempdir().expect("a directory");
        let tree = from.path().join("tree");
        let long = "n".repeat(150);
        fs::create_dir_all(tree.join("closed")).expect("a directory");
        fs::write(tree.join("closed").join(&long), "x").expect("a file");
        fs::write(tree.join("run"), "#!").expect("a file");
        fs::set_permissions(tree.join("run"), fs::Permissions::from_mode(0o4711)).expect("a mode");
        fs::set_permissions(tree.join("closed"), fs::Permissions::from_mode(0o500)).expect("a mode");
        symlink("/etc/passwd", tree.join("link")).expect("a link");
        symlink("tree", from.path().join("way")).expect("a link");
        let bytes = packed(&from.path().join("way"));
        let to = tempfile::tempdir().expect("a directory");
        unpack(&bytes[..], &to.path().join("new"), TOP, Some("new/")).expect("files");
        let tree = to.path().join("new").join(TOP);
        assert_eq!(
            fs::read_to_string(tree.join("closed").join(&long))
                .ok()
                .as_deref(),
            Some("x")
        );
        let mode = |name: &str| fs::metadata(tree.join(name)).map_or(0, |found| found.mode() & 0o7777);
        assert_eq!((mode("run"), mode("closed")), (0o711, 0o500), "no set-id bits");
        assert_eq!(
            fs::read_link(tree.join("link")).ok().as_deref(),
            Some(Path::new("/etc/passwd"))
        );
    }

    #[test]
    fn nothing_gets_out() {
        let outer = tempfile::tempdir().expect("a directory");
        let parent = outer.path().join("in");
        fs::create_dir(&parent).expect("a directory");
        let archive = |entries: &[(EntryType, &str, &str)]| {
            let mut builder = Builder::new(Vec::new());
            for (kind, path, link) in entries {
                let mut header = Header::new_gnu();
                header.set_entry_type(*kind);
                header.set_mode(0o644);
                header.set_size(0);
                // Straight into the header: the library refuses to write what an enemy would.
                header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
                header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
                header.set_cksum();
                builder.append(&header, io::empty()).expect("an entry");
            }
            builder.into_inner().expect("an archive")
        };
        for entries in [
            &[(EntryType::Regular, "other", "")][..],
            &[(EntryType::Regular, "../out", "")],
            &[(EntryType::Regular, "/out", "")],
            &[
                (EntryType::Symlink, "t/up", "../.."),
                (EntryType::Regular, "t/up/out", ""),
            ],
        ] {
            assert!(
                unpack(&archive(entries)[..], &parent, "t", None).is_err(),
                "{entries:?}"
            );
        }
        assert!(!outer.path().join("out").exists());
    }
}

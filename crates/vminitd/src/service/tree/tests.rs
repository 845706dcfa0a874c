use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, XattrFlags};
use tar::{Archive, Builder, EntryType, Header};

use super::{pack, unpack};
use crate::rooted::Root;

fn packed(directory: &Path, path: &str, name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let root = Root::open(directory).unwrap();
    pack(&root, Path::new(path), name, false, &mut bytes).unwrap();
    bytes
}

fn names(archive: &[u8]) -> Vec<PathBuf> {
    let mut archive = Archive::new(archive);
    let mut names: Vec<_> = archive
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_tree_keeps_everything() {
    let from = tempfile::tempdir().unwrap();
    let below = from.path().join("tree/a");
    fs::create_dir_all(&below).unwrap();
    let long = below.join("n".repeat(200));
    fs::write(&long, vec![7; 100_000]).unwrap();
    rustix::fs::setxattr(&long, "user.note", b"kept", XattrFlags::empty()).unwrap();
    fs::hard_link(&long, below.join("again")).unwrap();
    fs::write(below.join("run"), "#!").unwrap();
    fs::set_permissions(below.join("run"), fs::Permissions::from_mode(0o4751)).unwrap();
    fs::set_permissions(&below, fs::Permissions::from_mode(0o1777)).unwrap();
    symlink("/etc/passwd", below.join("link")).unwrap();
    rustix::fs::mknodat(
        CWD,
        below.join("fifo"),
        FileType::Fifo,
        Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    rustix::fs::utimensat(
        CWD,
        &below,
        &rustix::fs::Timestamps {
            last_access: rustix::fs::Timespec {
                tv_sec: 5,
                tv_nsec: 0,
            },
            last_modification: rustix::fs::Timespec {
                tv_sec: 5,
                tv_nsec: 0,
            },
        },
        rustix::fs::AtFlags::empty(),
    )
    .unwrap();
    symlink("tree", from.path().join("way")).unwrap();

    let archive = packed(from.path(), "/way", "new");
    let to = tempfile::tempdir().unwrap();
    let root = Root::open(to.path()).unwrap();
    unpack(&root, Path::new("/x/y"), 1, &archive[..]).unwrap();
    let below = to.path().join("x/y/a");
    let long = below.join("n".repeat(200));
    assert_eq!(fs::read(&long).unwrap(), vec![7; 100_000]);
    let mut value = [0; 4];
    rustix::fs::getxattr(&long, "user.note", &mut value).unwrap();
    assert_eq!(&value, b"kept");
    assert_eq!(
        fs::metadata(&long).unwrap().ino(),
        fs::metadata(below.join("again")).unwrap().ino()
    );
    assert_eq!(fs::metadata(below.join("run")).unwrap().mode() & 0o7777, 0o4751);
    let directory = fs::metadata(&below).unwrap();
    assert_eq!((directory.mode() & 0o7777, directory.mtime()), (0o1777, 5));
    assert_eq!(
        fs::read_link(below.join("link")).unwrap(),
        Path::new("/etc/passwd")
    );
    let fifo = fs::symlink_metadata(below.join("fifo")).unwrap();
    assert_eq!(fifo.mode(), libc::S_IFIFO | 0o600);
}

#[test]
fn names_begin_as_asked() {
    let from = tempfile::tempdir().unwrap();
    fs::create_dir(from.path().join("d")).unwrap();
    fs::write(from.path().join("d/file"), "x").unwrap();
    symlink("/d/file", from.path().join("way")).unwrap();
    let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
    assert_eq!(
        names(&packed(from.path(), "/d", "new")),
        paths(&["new/", "new/file"])
    );
    assert_eq!(
        names(&packed(from.path(), "/", "")),
        paths(&["d/", "d/file", "way"])
    );
    assert_eq!(names(&packed(from.path(), "/way", "new")), paths(&["new"]));
}

fn archive(entries: &[(EntryType, &str, &str, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (kind, path, link, data) in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        header.set_uid(rustix::process::getuid().as_raw().into());
        header.set_gid(rustix::process::getgid().as_raw().into());
        header.set_mtime(1);
        header.set_size(data.len() as u64);
        // Straight into the header: the library refuses to write what an enemy would.
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        builder.append(&header, *data).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn archives_cannot_leave_their_root() {
    let outer = tempfile::tempdir().unwrap();
    let directory = outer.path().join("root");
    fs::create_dir(&directory).unwrap();
    fs::write(outer.path().join("secret"), "kept").unwrap();
    let root = Root::open(&directory).unwrap();
    let attempt = |entries: &[_]| unpack(&root, Path::new("/"), 0, &archive(entries)[..]);
    let (file, link, hard) = (EntryType::Regular, EntryType::Symlink, EntryType::Link);
    // A name with `..` is nobody's.
    attempt(&[(file, "../secret", "", b"gone")]).unwrap();
    assert!(attempt(&[(hard, "x", "../secret", b"")]).is_err());
    attempt(&[(link, "up", "..", b""), (file, "up/secret", "", b"gone")]).unwrap();
    attempt(&[(link, "file", "../secret", b""), (file, "file", "", b"gone")]).unwrap();
    assert_eq!(fs::read_to_string(outer.path().join("secret")).unwrap(), "kept");
    assert_eq!(fs::read_to_string(directory.join("secret")).unwrap(), "gone");
    assert_eq!(fs::read_to_string(directory.join("file")).unwrap(), "gone");
}

#[test]
fn a_broken_archive_is_an_error() {
    let to = tempfile::tempdir().unwrap();
    let root = Root::open(to.path()).unwrap();
    let bytes = archive(&[(EntryType::Regular, "file", "", &[1; 10_000])]);
    assert!(unpack(&root, Path::new("/"), 0, &bytes[..2000]).is_err());
    assert!(unpack(&root, Path::new("/"), 0, &[b'x'; 1024][..]).is_err());
}

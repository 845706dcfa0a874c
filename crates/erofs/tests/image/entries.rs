//! What single entries become.

use crate::archive::{Archive, Header, noise};
use crate::{build, fault};

#[test]
fn metadata() {
    let archive = Archive::new()
        .raw(
            Header::new(b'5', b"./").mode(0o1751).owner(7, 8).mtime(12345),
            &[],
        )
        .raw(
            Header::new(b'0', b"setuid")
                .mode(0o104_755)
                .owner(0o7_777_777, 3_000_000_000)
                .mtime(1 << 35),
            &[],
        )
        .raw(Header::new(b'0', b"setgid").mode(0o2755), &[])
        .pax(&[
            ("uid", b"4000000000"),
            ("gid", b"4294967295"),
            ("mtime", b"1700000000.987654321"),
        ])
        .file("pax", b"")
        .pax(&[("mtime", b"-0.5")])
        .symlink("old", "target");
    let tree = build(&[archive.end()]);
    let node = |path: &str| &tree[path.as_bytes()];
    assert_eq!(
        (node("").mode, node("").uid, node("").gid, node("").mtime),
        (0o041_751, 7, 8, (12345, 0))
    );
    assert_eq!(
        (node("setuid").mode, node("setuid").uid),
        (0o104_755, 0o7_777_777)
    );
    assert_eq!(
        (node("setuid").gid, node("setuid").mtime),
        (3_000_000_000, (1 << 35, 0))
    );
    assert_eq!(node("setgid").mode, 0o102_755);
    assert_eq!((node("pax").uid, node("pax").gid), (4_000_000_000, u32::MAX));
    assert_eq!(node("pax").mtime, (1_700_000_000, 987_654_321));
    assert_eq!(
        (node("old").mtime, node("old").mode),
        ((-1, 500_000_000), 0o120_777)
    );
    assert_eq!(node("old").content, b"target");
}

#[test]
fn special_files() {
    let archive = Archive::new()
        .raw(Header::new(b'3', b"dev/null").mode(0o666).device(1, 3), &[])
        .raw(Header::new(b'4', b"dev/disk").device(259, 0x12345), &[])
        .raw(Header::new(b'6', b"pipe").mode(0o600), &[])
        .raw(Header::new(b'7', b"contiguous").size(3), b"abc")
        .raw(Header::new(0, b"old/"), &[])
        .raw(Header::new(0, b"oldfile").size(1), b"x");
    let tree = build(&[archive.end()]);
    let node = |path: &str| &tree[path.as_bytes()];
    assert_eq!(
        (node("dev/null").mode, node("dev/null").device),
        (0o020_666, (1, 3))
    );
    assert_eq!(
        (node("dev/disk").mode, node("dev/disk").device),
        (0o060_644, (259, 0x12345))
    );
    assert_eq!(node("pipe").mode, 0o010_600);
    assert_eq!(node("contiguous").content, b"abc");
    assert_eq!(node("old").mode, 0o040_644);
    assert_eq!(node("oldfile").content, b"x");
    assert_eq!(node("dev").mode, 0o040_755);
}

#[test]
fn extended_attributes() {
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let big = noise(9, 65535);
    let archive = Archive::new()
        .pax(&[
            ("SCHILY.xattr.security.capability", &capability),
            ("SCHILY.xattr.user.text", b"a=b\nc"),
            ("SCHILY.xattr.trusted.overlay.opaque", b"y"),
            ("SCHILY.xattr.com.apple.provenance", b"x"),
        ])
        .file("ping", &noise(1, 4000))
        .pax(&[("LIBARCHIVE.xattr.user.%66oo", b"YmFy")])
        .file("libarchive", b"")
        .pax(&[
            ("SCHILY.xattr.user.1", &big),
            ("SCHILY.xattr.user.2", &big),
            ("SCHILY.xattr.user.3", &big),
        ])
        .file("large", &noise(2, 5000))
        .pax(&[
            ("SCHILY.xattr.system.posix_acl_default", b"\x02\0\0\0"),
            ("SCHILY.xattr.user.1", &big),
        ])
        .directory("dir/", 0o755)
        .pax(&[
            ("SCHILY.xattr.user.1", &big),
            ("SCHILY.xattr.user.2", &big),
            ("SCHILY.xattr.user.3", &big),
        ])
        .directory("./", 0o755)
        .file("after", b"after");
    let tree = build(&[archive.end()]);
    let xattrs = |path: &str| &tree[path.as_bytes()].xattrs;
    assert_eq!(xattrs("ping").len(), 2);
    assert_eq!(xattrs("ping")["security.capability"], capability);
    assert_eq!(xattrs("ping")["user.text"], b"a=b\nc");
    assert_eq!(xattrs("libarchive")["user.foo"], b"bar");
    assert!(xattrs("large").values().all(|value| *value == big) && xattrs("large").len() == 3);
    assert_eq!(xattrs("dir")["system.posix_acl_default"], b"\x02\0\0\0");
    assert_eq!(xattrs("").len(), 3);
    assert!(tree[&b"ping"[..]].content == noise(1, 4000) && tree[&b"large"[..]].content == noise(2, 5000));
    assert_eq!(tree[&b"after"[..]].content, b"after");
    let too_many: Vec<(String, &[u8])> = (0..5)
        .map(|i| (format!("SCHILY.xattr.user.{i}"), big.as_slice()))
        .collect();
    let too_many: Vec<(&str, &[u8])> = too_many
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    assert!(
        fault(&[Archive::new().pax(&too_many).file("x", b"").end()]).contains("attributes are too large")
    );
}

#[test]
fn long_paths_and_links() {
    let path = format!("{}/{}", "p".repeat(155), "n".repeat(100));
    let target = "t/".repeat(2000);
    let archive = Archive::new()
        .raw(
            Header::new(b'0', "n".repeat(100).as_bytes())
                .bytes(345, "p".repeat(155).as_bytes())
                .size(6),
            b"prefix",
        )
        .gnu_long(b'K', target.as_bytes())
        .gnu_long(b'L', b"gnu")
        .symlink("short", "short")
        .pax(&[("linkpath", target.as_bytes())])
        .symlink("pax", "short")
        .pax(&[("linkpath", path.as_bytes()), ("path", b"hard\xff\xfe")])
        .hard_link("short", "short")
        .pax_of(b'g', &[("path", b"global"), ("comment", b"ignored")])
        .file("after-global", b"g");
    let tree = build(&[archive.end()]);
    assert_eq!(tree[path.as_bytes()].content, b"prefix");
    assert_eq!(tree[&b"gnu"[..]].content, target.as_bytes());
    assert_eq!(tree[&b"pax"[..]].content, target.as_bytes());
    assert_eq!(tree[&b"hard\xff\xfe"[..]].nid, tree[path.as_bytes()].nid);
    assert_eq!(tree[&b"after-global"[..]].content, b"g");
}

/// A sparse file of 3 MiB + 7 with data at 0, 1 MiB and at its end.
fn sparse() -> (Vec<u8>, Vec<(u64, u64)>, Vec<u8>) {
    let segments = vec![(0, 5), (1 << 20, 5000), ((3 << 20) + 5, 2)];
    let stored = noise(5, 5007);
    let mut content = vec![0; (3 << 20) + 7];
    let mut at = 0;
    for &(offset, length) in &segments {
        content[offset as usize..(offset + length) as usize]
            .copy_from_slice(&stored[at..at + length as usize]);
        at += length as usize;
    }
    (content, segments, stored)
}

#[test]
fn sparse_files() {
    let (content, segments, stored) = sparse();
    let size = content.len().to_string();
    let list = segments
        .iter()
        .map(|(o, l)| format!("{o},{l}"))
        .collect::<Vec<_>>()
        .join(",");
    let numbers: Vec<(String, String)> = segments
        .iter()
        .map(|(o, l)| (o.to_string(), l.to_string()))
        .collect();
    let mut records: Vec<(&str, &[u8])> = vec![
        ("GNU.sparse.size", size.as_bytes()),
        ("GNU.sparse.numblocks", b"3"),
    ];
    for (offset, length) in &numbers {
        records.push(("GNU.sparse.offset", offset.as_bytes()));
        records.push(("GNU.sparse.numbytes", length.as_bytes()));
    }
    let mut map = segments.iter().fold(b"3\n".to_vec(), |mut map, (o, l)| {
        map.extend(format!("{o}\n{l}\n").as_bytes());
        map
    });
    map.resize(512, 0);
    let old = |name: &[u8], entries: &[(u64, u64)], extended: bool, real: u64, stored: usize| {
        let header = Header::new(b'S', name)
            .gnu()
            .size(stored as u64)
            .number(483, 12, real)
            .bytes(482, &[extended.into()]);
        entries.iter().enumerate().fold(header, |header, (i, &(o, l))| {
            header.number(386 + 24 * i, 12, o).number(398 + 24 * i, 12, l)
        })
    };
    // A map with more segments than a header and an extension block hold.
    let many: Vec<(u64, u64)> = (0..40).map(|i| (i * 10_000, 100)).collect();
    let mut blocks = vec![0; 1024];
    for (i, (offset, length)) in many[4..].iter().enumerate() {
        let at = i / 21 * 512 + i % 21 * 24;
        blocks[at..at + 24].copy_from_slice(format!("{offset:011o}\0{length:011o}\0").as_bytes());
    }
    blocks[504] = 1;
    let archive = Archive::new()
        .pax(&records)
        .file("v00", &stored)
        .pax(&[
            ("GNU.sparse.name", b"v01"),
            ("GNU.sparse.size", size.as_bytes()),
            ("GNU.sparse.map", list.as_bytes()),
        ])
        .file("GNUSparseFile.0/v01", &stored)
        .pax(&[
            ("GNU.sparse.major", b"1"),
            ("GNU.sparse.minor", b"0"),
            ("GNU.sparse.name", b"v10"),
            ("GNU.sparse.realsize", size.as_bytes()),
        ])
        .file("GNUSparseFile.0/v10", &[map, stored.clone()].concat())
        .raw(
            old(b"old", &segments, false, content.len() as u64, stored.len()),
            &stored,
        )
        .raw(old(b"many", &many[..4], true, 400_000, 4000), &[])
        .bytes(&blocks)
        .bytes(&noise(6, 4000))
        .pax(&[
            ("GNU.sparse.size", b"1000000000000"),
            ("GNU.sparse.numblocks", b"0"),
        ])
        .file("later/.wh.x", b"")
        .file("after", b"after");
    let tree = build(&[archive.end()]);
    for name in ["v00", "v01", "v10", "old"] {
        assert!(tree[name.as_bytes()].content == content, "{name}");
    }
    let node = &tree[&b"many"[..]];
    assert_eq!(node.content.len(), 400_000);
    assert!(node.content[390_000..390_100] == noise(6, 4000)[3900..]);
    assert_eq!(tree[&b"after"[..]].content, b"after");
}

#[test]
fn a_sparse_file_is_a_hole_in_the_image() {
    use std::os::unix::fs::MetadataExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image");
    let terabyte = Archive::new()
        .pax(&[
            ("GNU.sparse.size", b"1000000000000"),
            ("GNU.sparse.map", b"999999999999,1"),
        ])
        .file("lastlog", b"x");
    crate::build_at(&path, &[terabyte.end()]);
    crate::build_at(&path, &[Archive::new().file("zeros", &vec![0; 20 << 20]).end()]);
    assert!(path.metadata().unwrap().blocks() * 512 < 1 << 20);
    crate::check(&path);
}

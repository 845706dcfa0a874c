//! What layers do to the tree.

use std::collections::BTreeMap;

use crate::archive::{Archive, noise};
use crate::reader::Tree;
use crate::{build, build_at, fault};

fn names(tree: &Tree) -> Vec<&str> {
    tree.keys()
        .filter(|path| !path.is_empty())
        .map(|path| str::from_utf8(path).unwrap())
        .collect()
}

fn content<'a>(tree: &'a Tree, path: &str) -> &'a str {
    str::from_utf8(&tree[path.as_bytes()].content).unwrap()
}

#[test]
fn no_layers_and_empty_layers() {
    for layers in [
        vec![],
        vec![Vec::new()],
        vec![Archive::new().end()],
        vec![vec![0; 10240], Vec::new()],
    ] {
        let tree = build(&layers);
        assert_eq!(tree.len(), 1);
        assert_eq!(tree[&b""[..]].mode, 0o040_755);
    }
}

#[test]
fn contents_of_all_sizes() {
    let sizes = [
        0,
        1,
        100,
        4031,
        4032,
        4033,
        4095,
        4096,
        4097,
        8127,
        8128,
        8129,
        8192,
        100_000,
        300_000,
        1 << 20,
        3_000_001,
    ];
    let mut archive = Archive::new();
    for size in sizes {
        archive = archive.file(&format!("f{size}"), &noise(size as u64, size));
    }
    let tree = build(&[archive.end()]);
    for size in sizes {
        assert!(
            tree[format!("f{size}").as_bytes()].content == noise(size as u64, size),
            "{size}"
        );
    }
}

#[test]
fn later_layers_overrule() {
    let first = Archive::new()
        .directory("dir/", 0o700)
        .file("dir/a", b"a1")
        .file("dir/b", b"b1")
        .file("file", b"file1")
        .symlink("link", "dir")
        .directory("stays/", 0o711)
        .file("stays/x", b"x1");
    let second = Archive::new()
        .file("dir", b"a file now")
        .directory("file/", 0o750)
        .file("file/below", b"below")
        .directory("link", 0o701)
        .directory("stays", 0o1777);
    let tree = build(&[first.clone().end(), second.end()]);
    assert_eq!(
        names(&tree),
        ["dir", "file", "file/below", "link", "stays", "stays/x"]
    );
    assert_eq!(content(&tree, "dir"), "a file now");
    assert_eq!(tree[&b"link"[..]].mode, 0o040_701);
    assert_eq!(tree[&b"stays"[..]].mode, 0o041_777);
    assert_eq!(content(&tree, "stays/x"), "x1");

    let back = Archive::new().file("dir/c", b"c").directory("dir", 0o755);
    let gone = Archive::new().file("dir", b"2");
    let tree = build(&[
        first.clone().end(),
        gone.end(),
        Archive::new().file(".wh.dir", b"").end(),
        back.end(),
    ]);
    assert_eq!(names(&tree), ["dir", "dir/c", "file", "link", "stays", "stays/x"]);
}

#[test]
fn whiteouts() {
    let base = Archive::new()
        .file("a/one", b"1")
        .file("a/two", b"2")
        .file("a/sub/three", b"3")
        .file("b/four", b"4")
        .file("b/five", b"5")
        .file("c", b"6");
    let upper = Archive::new()
        .file("a/.wh.one", b"")
        .file("a/.wh.none", b"")
        .file("none/.wh.none", b"")
        .file("none/.wh..wh..opq", b"")
        .file("b/six", b"6")
        .file("b/.wh..wh..opq", b"")
        .file("b/seven", b"7")
        .file(".wh.c", b"")
        .file(".wh..wh.plnk", b"");
    let tree = build(&[base.clone().end(), upper.end()]);
    assert_eq!(
        names(&tree),
        ["a", "a/sub", "a/sub/three", "a/two", "b", "b/seven", "b/six"]
    );

    // A whiteout does not touch what its own layer has, whatever the order.
    let upper = Archive::new()
        .file("a/new", b"n")
        .file("c", b"c2")
        .file(".wh.c", b"")
        .file(".wh.a", b"");
    let tree = build(&[base.clone().end(), upper.end()]);
    assert_eq!(names(&tree), ["a", "a/new", "b", "b/five", "b/four", "c"]);
    assert_eq!(content(&tree, "c"), "c2");

    let tree = build(&[base.end(), Archive::new().file("./.wh..wh..opq", b"").end()]);
    assert!(names(&tree).is_empty());
}

#[test]
fn hard_links() {
    let base = Archive::new()
        .file("bin/busybox", &noise(1, 9000))
        .hard_link("bin/sh", "bin/busybox")
        .hard_link("bin/ls", "./bin/sh")
        .symlink("soft", "bin/sh")
        .hard_link("soft2", "soft");
    let upper = Archive::new()
        .hard_link("usr/cat", "/bin/busybox")
        .file("bin/.wh.busybox", b"")
        .file("bin/ls", b"ls2")
        .hard_link("bin/ls", "bin/ls")
        .symlink("sbin", "bin")
        .hard_link("sbin/init", "sbin/sh");
    let tree = build(&[base.end(), upper.end()]);
    assert_eq!(
        names(&tree),
        [
            "bin", "bin/init", "bin/ls", "bin/sh", "sbin", "soft", "soft2", "usr", "usr/cat"
        ]
    );
    assert_eq!(tree[&b"usr/cat"[..]].links, 3);
    assert_eq!(tree[&b"usr/cat"[..]].nid, tree[&b"bin/init"[..]].nid);
    assert!(tree[&b"bin/sh"[..]].content == noise(1, 9000));
    assert_eq!(tree[&b"bin/ls"[..]].links, 1);
    assert_eq!(tree[&b"soft2"[..]].mode, 0o120_777);
    assert_eq!(tree[&b"soft2"[..]].links, 2);

    assert!(fault(&[Archive::new().hard_link("a", "none").end()]).contains("\"none\", which does not exist"));
    assert!(
        fault(&[Archive::new().directory("d", 0o755).hard_link("a", "d").end()]).contains("is a directory")
    );
    assert!(fault(&[Archive::new().hard_link("a", "../etc/passwd").end()]).contains("leads out of"));
    assert!(fault(&[Archive::new().hard_link("a", "/").end()]).contains("is a directory"));
}

#[test]
fn links_of_parents_stay_inside() {
    let base = Archive::new()
        .directory("usr/lib/", 0o755)
        .symlink("lib", "usr/lib")
        .symlink("out", "../../../tmp");
    let upper = Archive::new().file("lib/x", b"x").file("out/y", b"y");
    let tree = build(&[base.end(), upper.end()]);
    assert_eq!(
        names(&tree),
        ["lib", "out", "tmp", "tmp/y", "usr", "usr/lib", "usr/lib/x"]
    );
}

#[test]
fn removed_data_is_given_back() {
    use std::os::unix::fs::MetadataExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image");
    let big = noise(3, 8 << 20);
    let layers = [
        Archive::new().file("big", &big).end(),
        Archive::new().file(".wh.big", b"").end(),
    ];
    build_at(&path, &layers);
    crate::check(&path);
    let metadata = path.metadata().unwrap();
    assert!(metadata.len() > 8 << 20);
    assert!(metadata.blocks() * 512 < 1 << 20, "{}", metadata.blocks() * 512);
    assert_eq!(
        names(&crate::reader::read(&std::fs::read(&path).unwrap())),
        Vec::<&str>::new()
    );
}

#[test]
fn same_layers_same_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let layers = [
        Archive::new()
            .file("a", &noise(1, 100_000))
            .file("b", &noise(2, 5000))
            .hard_link("c", "a")
            .end(),
        Archive::new().file("a", &noise(3, 200_000)).end(),
    ];
    let gzipped: Vec<Vec<u8>> = layers
        .iter()
        .map(|layer| zstd::encode_all(layer.as_slice(), 1).unwrap())
        .collect();
    let (one, two) = (directory.path().join("one"), directory.path().join("two"));
    let first = build_at(&one, &layers);
    assert_eq!(first, build_at(&two, &gzipped));
    assert!(std::fs::read(&one).unwrap() == std::fs::read(&two).unwrap());
    let other = build_at(&two, &layers[..1]);
    assert_ne!(first.uuid, other.uuid);
}

#[test]
fn many_entries_take_linear_time() {
    let count = 100_000;
    let mut archive = Archive::new().directory("many", 0o755);
    for i in 0..count {
        archive = archive.file(&format!("many/file-{:06}", (i * 7919) % count), b"x");
    }
    let upper = Archive::new()
        .file("many/file-000000", b"y")
        .file("many/.wh.file-000001", b"");
    let start = std::time::Instant::now();
    let tree = build(&[archive.end(), upper.end()]);
    assert_eq!(tree.len(), count + 1);
    assert_eq!(content(&tree, "many/file-000000"), "y");
    // Seconds without optimisation; quadratic time would be many minutes.
    assert!(start.elapsed().as_secs() < 180, "{:?}", start.elapsed());
}

#[test]
fn long_names_and_deep_trees() {
    let name = "n".repeat(255);
    let long: Vec<String> = (1..15)
        .map(|depth| vec![name.as_str(); depth].join("/"))
        .collect();
    let mut archive = Archive::new();
    for path in &long {
        archive = archive
            .pax(&[("path", path.as_bytes())])
            .directory("short", 0o755);
    }
    archive = archive
        .gnu_long(b'L', format!("{}/file", long[13]).as_bytes())
        .file("short", b"deep");
    let tree = build(&[archive.end()]);
    assert_eq!(content(&tree, &format!("{}/file", long[13])), "deep");
    let lengths: BTreeMap<usize, usize> = tree.keys().fold(BTreeMap::new(), |mut map, path| {
        *map.entry(path.len()).or_default() += 1;
        map
    });
    assert_eq!(lengths.keys().next_back(), Some(&(255 * 14 + 13 + 5)));
}

#[test]
fn a_very_deep_tree() {
    // fsck.erofs calls itself for every directory and runs out of stack on this one.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image");
    let deep = vec!["d"; 1500].join("/");
    build_at(
        &path,
        &[Archive::new()
            .gnu_long(b'L', deep.as_bytes())
            .file("short", b"deep")
            .end()],
    );
    let tree = crate::reader::read(&std::fs::read(&path).unwrap());
    assert_eq!(content(&tree, &deep), "deep");
}

//! The same layers, unpacked by umoci and by us, file by file: as this crate's tests read an image, and as the kernel does
//! where it may be asked to mount one.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::archive::{Archive, Header, noise};
use crate::reader::{self, Node, Tree};

/// Writes an OCI layout of an image whose layers are uncompressed.
fn write_layout(directory: &Path, layers: &[Vec<u8>]) {
    let blobs = directory.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let put = |bytes: &[u8]| {
        let digest: String = Sha256::digest(bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        fs::write(blobs.join(&digest), bytes).unwrap();
        (digest, bytes.len())
    };
    let descriptor = |kind: &str, (digest, size): (String, usize), more: &str| {
        format!(
            r#"{{"mediaType":"application/vnd.oci.image.{kind}","digest":"sha256:{digest}","size":{size}{more}}}"#
        )
    };
    let layers: Vec<(String, usize)> = layers.iter().map(|layer| put(layer)).collect();
    let diff_ids: Vec<String> = layers
        .iter()
        .map(|(digest, _)| format!(r#""sha256:{digest}""#))
        .collect();
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","config":{{}},"rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
        diff_ids.join(",")
    );
    let config = descriptor("config.v1+json", put(config.as_bytes()), "");
    let layers: Vec<String> = layers
        .into_iter()
        .map(|layer| descriptor("layer.v1.tar", layer, ""))
        .collect();
    let manifest = format!(
        r#"{{"schemaVersion":2,"config":{config},"layers":[{}]}}"#,
        layers.join(",")
    );
    let name = r#","annotations":{"org.opencontainers.image.ref.name":"test"}"#;
    let manifest = descriptor("manifest.v1+json", put(manifest.as_bytes()), name);
    let index = format!(r#"{{"schemaVersion":2,"manifests":[{manifest}]}}"#);
    fs::write(directory.join("index.json"), index).unwrap();
    fs::write(directory.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
}

/// Reads a directory tree of the host. Link counts of directories and inode numbers are left out.
fn read_host(root: &Path, path: &Path, tree: &mut Tree) {
    let metadata = path.symlink_metadata().unwrap();
    let file_type = metadata.file_type();
    let content = if file_type.is_file() {
        fs::read(path).unwrap()
    } else if file_type.is_symlink() {
        fs::read_link(path).unwrap().as_os_str().as_bytes().to_vec()
    } else {
        Vec::new()
    };
    let device = file_type.is_block_device() || file_type.is_char_device();
    let rdev = if device { metadata.rdev() } else { 0 };
    let node = Node {
        mode: metadata.mode(),
        uid: metadata.uid(),
        gid: metadata.gid(),
        mtime: (metadata.mtime(), metadata.mtime_nsec() as u32),
        links: if file_type.is_dir() {
            0
        } else {
            metadata.nlink() as u32
        },
        device: (rustix::fs::major(rdev), rustix::fs::minor(rdev)),
        xattrs: xattrs(path),
        content,
        nid: 0,
    };
    tree.insert(
        path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec(),
        node,
    );
    if file_type.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            read_host(root, &entry.unwrap().path(), tree);
        }
    }
}

fn xattrs(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut names = vec![0; 1 << 16];
    let length = rustix::fs::llistxattr(path, &mut names).unwrap();
    let names = names[..length]
        .split(|&byte| byte == 0)
        .filter(|name| !name.is_empty());
    names
        .map(|name| {
            let mut value = vec![0; 1 << 16];
            let length = rustix::fs::lgetxattr(path, name, &mut value).unwrap();
            value.truncate(length);
            (String::from_utf8(name.to_vec()).unwrap(), value)
        })
        .collect()
}

/// Unpacks layers both ways and compares. Unpacking owners and devices takes root: without it, nothing is compared.
fn compare(layers: &[Vec<u8>]) {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not root: umoci cannot unpack owners and devices");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let layout = directory.path().join("layout");
    write_layout(&layout, layers);
    let bundle = directory.path().join("bundle");
    let output = Command::new("umoci")
        .arg("unpack")
        .arg("--image")
        .arg(format!("{}:test", layout.display()))
        .arg(&bundle)
        .output()
        .expect("umoci of Debian's package umoci");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let root = bundle.join("rootfs");
    let mut theirs = Tree::new();
    read_host(&root, &root, &mut theirs);
    let image = directory.path().join("image");
    crate::build_at(&image, layers);
    crate::check(&image);
    let mut ours = reader::read(&fs::read(&image).unwrap());
    for node in ours.values_mut() {
        node.nid = 0;
        if node.mode & 0o170_000 == 0o040_000 {
            node.links = 0;
        }
    }
    assert_same(&ours, &theirs, "ours is left, umoci's is right");
    match mounted(&image, &directory.path().join("mounted")) {
        Some(tree) => assert_same(&tree, &theirs, "what the kernel reads is left, umoci's is right"),
        None => eprintln!("this kernel does not mount the image for us"),
    }
}

fn assert_same(left: &Tree, right: &Tree, which: &str) {
    for path in left.keys().chain(right.keys()) {
        let name = String::from_utf8_lossy(path);
        assert_eq!(left.get(path), right.get(path), "{name:?}: {which}");
    }
}

/// What the kernel finds in an image; none where it cannot mount one.
fn mounted(image: &Path, target: &Path) -> Option<Tree> {
    fs::create_dir(target).unwrap();
    let mount = |arguments: &[&str]| {
        let status = Command::new("mount").args(arguments).status();
        status.is_ok_and(|status| status.success())
    };
    let arguments = ["-t", "erofs", "-o", "ro,loop", image.to_str()?, target.to_str()?];
    // The mount is in a namespace of the thread's own, and goes away with it whatever happens.
    let reader = || {
        let flags = rustix::thread::UnshareFlags::NEWNS | rustix::thread::UnshareFlags::FS;
        // SAFETY: the thread shares no file descriptor table or memory less than before, and nothing else in this process
        // relies on its working directory or mounts.
        unsafe { rustix::thread::unshare_unsafe(flags) }.ok()?;
        if !mount(&["--make-rprivate", "/"]) || !mount(&arguments) {
            return None;
        }
        let mut tree = Tree::new();
        read_host(target, target, &mut tree);
        Some(tree)
    };
    std::thread::scope(|scope| scope.spawn(reader).join().unwrap())
}

fn dated(header: Header) -> Header {
    header.mtime(1_600_000_000)
}

#[test]
fn a_busybox_tree() {
    let busybox = noise(1, 700_001);
    let mut archive = Archive::new().raw(dated(Header::new(b'5', b"./").mode(0o755)), &[]);
    for directory in [
        "bin", "dev", "etc", "home", "proc", "root", "sys", "tmp", "usr", "usr/sbin", "var",
    ] {
        let mode = if directory == "tmp" { 0o1777 } else { 0o755 };
        archive = archive.raw(dated(Header::new(b'5', directory.as_bytes()).mode(mode)), &[]);
    }
    let size = busybox.len() as u64;
    archive = archive.raw(
        dated(Header::new(b'0', b"bin/busybox").mode(0o755).size(size)),
        &busybox,
    );
    for applet in 0..300 {
        archive = archive.hard_link(&format!("bin/applet{applet}"), "bin/busybox");
    }
    let passwd = b"root:x:0:0:root:/root:/bin/sh\n";
    archive = archive.raw(
        dated(Header::new(b'0', b"etc/passwd").size(passwd.len() as u64)),
        passwd,
    );
    compare(&[archive.end()]);
}

/// Half of the files are in one directory.
#[test]
fn a_hundred_thousand_files() {
    let mut archive = Archive::new();
    for i in 0..50_000 {
        let content = format!("content of {i}\n").repeat(i % 7);
        archive = archive
            .raw(
                dated(Header::new(b'0', format!("usr/share/all/{i}").as_bytes()).size(content.len() as u64)),
                content.as_bytes(),
            )
            .raw(
                dated(Header::new(b'0', format!("usr/lib/{}/{i}", i % 500).as_bytes()).size(4)),
                b"text",
            );
    }
    for i in 0..500 {
        let path = format!("usr/lib/{i}");
        archive = archive.raw(dated(Header::new(b'5', path.as_bytes()).mode(0o755)), &[]);
    }
    for path in ["usr/share/all", "usr/share", "usr/lib", "usr", "."] {
        archive = archive.raw(dated(Header::new(b'5', path.as_bytes()).mode(0o755)), &[]);
    }
    compare(&[archive.end()]);
}

#[test]
fn ten_layers_of_everything() {
    let capability = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let acl = b"\x02\0\0\0\x01\0\x06\0\xff\xff\xff\xff\x02\0\x04\0\xe8\x03\0\0\x04\0\x04\0\xff\xff\xff\xff\
        \x10\0\x04\0\xff\xff\xff\xff\x20\0\x04\0\xff\xff\xff\xff";
    let long = format!("long/{}/{}", "d".repeat(200), "f".repeat(255));
    let base = Archive::new()
        .raw(dated(Header::new(b'5', b".").mode(0o711).owner(1, 2)), &[])
        .raw(dated(Header::new(b'5', b"usr/lib").mode(0o755)), &[])
        .raw(dated(Header::new(b'5', b"usr").mode(0o755)), &[])
        .symlink("lib", "usr/lib")
        .raw(
            dated(Header::new(b'0', b"usr/lib/a.so").mode(0o644).size(20_000)),
            &noise(1, 20_000),
        )
        .raw(
            dated(Header::new(b'0', b"su").mode(0o4755).size(100)),
            &noise(2, 100),
        )
        .raw(
            dated(
                Header::new(b'0', b"mail")
                    .mode(0o2755)
                    .owner(5, 70_000)
                    .size(4096),
            ),
            &noise(3, 4096),
        )
        .raw(
            dated(Header::new(b'3', b"dev/null").mode(0o666).device(1, 3)),
            &[],
        )
        .raw(
            dated(
                Header::new(b'4', b"dev/loop0")
                    .mode(0o660)
                    .owner(0, 6)
                    .device(7, 0),
            ),
            &[],
        )
        .raw(dated(Header::new(b'6', b"dev/fifo").mode(0o600)), &[])
        .raw(dated(Header::new(b'5', b"dev").mode(0o755)), &[])
        .pax(&[
            ("uid", b"3000000000"),
            ("gid", b"3000000001"),
            ("mtime", b"1500000000.123456789"),
        ])
        .file("big-ids", b"ids")
        .pax(&[
            ("SCHILY.xattr.security.capability", &capability),
            ("SCHILY.xattr.user.note", b"hello"),
        ])
        .file("ping", &noise(4, 5000))
        .pax(&[("SCHILY.xattr.system.posix_acl_access", acl)])
        .raw(dated(Header::new(b'0', b"acl").mode(0o644).size(3)), b"acl")
        .raw(dated(Header::new(b'5', b"long").mode(0o755)), &[])
        .pax(&[("path", &long.as_bytes()[..205])])
        .raw(dated(Header::new(b'5', b"x").mode(0o755)), &[])
        .pax(&[("path", long.as_bytes())])
        .file("x", b"long");
    let mut map = b"2\n0\n5\n1000000\n5\n".to_vec();
    map.resize(512, 0);
    let mut base = base
        .pax(&[
            ("GNU.sparse.major", b"1"),
            ("GNU.sparse.minor", b"0"),
            ("GNU.sparse.name", b"sparse"),
            ("GNU.sparse.realsize", b"2000000"),
        ])
        .file("GNUSparseFile.0/sparse", &[&map[..], b"helloworld"].concat());
    for i in 0..200 {
        base = base.file(&format!("many/file{i}"), &noise(i, i as usize * 41));
    }
    base = base.raw(dated(Header::new(b'5', b"many").mode(0o750)), &[]);
    let layers = [
        base,
        // Hard links across layers, below a symbolic link too.
        Archive::new()
            .hard_link("lib/b.so", "usr/lib/a.so")
            .hard_link("c.so", "lib/a.so")
            .hard_link("l2", "lib"),
        // A file over a directory, a directory over a file and over a link.
        Archive::new()
            .raw(dated(Header::new(b'0', b"many").size(4)), b"file")
            .raw(dated(Header::new(b'5', b"su").mode(0o700)), &[])
            .file("su/inside", b"x")
            .raw(dated(Header::new(b'5', b"l2").mode(0o755)), &[]),
        // Back again.
        Archive::new()
            .raw(dated(Header::new(b'5', b"many").mode(0o755)), &[])
            .file("many/again", b"again")
            .raw(dated(Header::new(b'0', b"su").mode(0o4711).size(2)), b"su"),
        Archive::new()
            .file("dir/a", b"a")
            .file("dir/sub/b", b"b")
            .raw(dated(Header::new(b'5', b"dir/sub")), &[])
            .raw(dated(Header::new(b'5', b"dir").mode(0o701)), &[])
            .file("gone/x", b"x")
            .file("kept/x", b"x")
            .raw(dated(Header::new(b'5', b"kept").mode(0o701)), &[]),
        Archive::new()
            .file("dir/.wh..wh..opq", b"")
            .file("dir/new", b"new")
            .raw(dated(Header::new(b'5', b"dir").mode(0o751)), &[])
            .file(".wh.gone", b"")
            .file("kept/.wh.x", b"")
            .raw(dated(Header::new(b'5', b"kept").mode(0o711)), &[]),
        // Metadata alone.
        Archive::new()
            .raw(dated(Header::new(b'5', b"kept").mode(0o1777).owner(9, 9)), &[])
            .pax(&[("SCHILY.xattr.user.dir", b"d")])
            .raw(dated(Header::new(b'5', b"usr").mode(0o700)), &[]),
        Archive::new()
            .file("usr/lib/.wh.a.so", b"")
            .raw(dated(Header::new(b'5', b"usr/lib").mode(0o755)), &[]),
        Archive::new()
            .raw(dated(Header::new(b'0', b"c.so").size(5)), b"other")
            .gnu_long(b'K', &b"t/".repeat(150))
            .symlink("long-link", "short"),
        Archive::new().raw(dated(Header::new(b'5', b"./").mode(0o755)), &[]),
    ];
    compare(&layers.map(Archive::end));
}

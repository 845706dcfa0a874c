//! Layers that were made to do harm, or were damaged.

use std::collections::BTreeSet;
use std::path::Path;

use container_erofs::{Builder, Fault, Options};

use crate::archive::{Archive, Header, noise};
use crate::{build, fault, fault_with, try_build};

/// Everything below a directory.
fn listing(directory: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn paths_out_of_the_root() {
    let directory = tempfile::tempdir().unwrap();
    let image = directory.path().join("image");
    for path in ["../escaped", "a/../../escaped", "/../escaped", "..", "a/../../"] {
        let layer = Archive::new().file("before", b"").file(path, b"").end();
        let error = try_build(&image, &[layer], Options::default()).unwrap_err();
        assert_eq!(error.to_string(), format!("layer 0, entry {path:?}"));
        assert!(
            fault(&[Archive::new().file(path, b"").end()]).ends_with("path leads out of the root directory")
        );
    }
    assert_eq!(listing(directory.path()), BTreeSet::from(["image".to_owned()]));
    let tree = build(&[Archive::new().file("/etc/passwd", b"x").file("a/../b", b"").end()]);
    assert!(tree.contains_key(&b"etc/passwd"[..]) && tree.contains_key(&b"b"[..]));
}

#[test]
fn links_out_of_the_root() {
    // A link may point anywhere; it only means something in the guest. Nothing is written through it.
    let layer = Archive::new()
        .symlink("out", "../../../../../../tmp")
        .file("out/file", b"x")
        .end();
    let tree = build(&[layer]);
    assert_eq!(tree[&b"tmp/file"[..]].content, b"x");
    let looped = Archive::new()
        .symlink("a", "b")
        .symlink("b", "a")
        .file("a/x", b"")
        .end();
    assert!(fault(&[looped]).ends_with("too many symbolic links"));
    let blowup = Archive::new()
        .gnu_long(b'K', &b"x/../".repeat(800))
        .symlink("a", "short")
        .directory("x", 0o755)
        .gnu_long(b'K', &b"a/".repeat(40))
        .symlink("b", "short")
        .file("b/c", b"")
        .end();
    assert!(fault(&[blowup]).ends_with("too many symbolic links"));
}

#[test]
fn malformed_entries() {
    let end = |archive: Archive| vec![archive.end()];
    let file = || Archive::new().file("f", b"x");
    for (layers, expected) in [
        (end(file().file("f/below", b"")), "a parent is not a directory"),
        (end(Archive::new().file("./", b"")), ""),
        (
            end(Archive::new().symlink(".", "x")),
            "root directory cannot be replaced",
        ),
        (
            end(Archive::new().symlink("x", "")),
            "symbolic link's target is empty or longer than 4095 bytes",
        ),
        (
            end(Archive::new().gnu_long(b'K', &[b'x'; 4096]).symlink("x", "")),
            "longer than 4095 bytes",
        ),
        (
            end(Archive::new().gnu_long(b'L', &[b'x'; 256]).file("x", b"")),
            "file name is longer than 255 bytes",
        ),
        (
            end(Archive::new().gnu_long(b'L', &b"x/".repeat(2100)).file("x", b"")),
            "path is longer than 4096 bytes",
        ),
        (
            end(Archive::new().pax(&[("path", b"a\0b")]).file("x", b"")),
            "invalid path",
        ),
        (end(Archive::new().file(".wh.", b"")), "invalid path"),
        (end(Archive::new().file(".wh...", b"")), "invalid path"),
        (
            end(Archive::new().raw(Header::new(b'M', b"multi"), &[])),
            "unsupported entry type 'M'",
        ),
        (
            end(Archive::new().raw(Header::new(b'S', b"sparse"), &[])),
            "malformed map of a sparse file",
        ),
        (
            end(Archive::new().raw(Header::new(b'3', b"dev").device(4096, 0), &[])),
            "invalid device number",
        ),
        (
            end(Archive::new().raw(Header::new(b'0', b"x").number(108, 8, 1 << 32), &[])),
            "invalid uid",
        ),
        (
            end(Archive::new().raw(Header::new(b'0', b"x").bytes(124, &[0xff; 12]), &[])),
            "invalid size",
        ),
        (
            end(Archive::new().raw(Header::new(b'0', b"x").bytes(100, b"rwxr-xr-"), &[])),
            "invalid mode",
        ),
        (
            end(Archive::new()
                .pax(&[("size", b"9223372036854775808")])
                .file("x", b"")),
            "invalid size",
        ),
        (
            end(Archive::new()
                .pax(&[("size", b"9223372036854775807")])
                .file("x", b"")),
            "truncated",
        ),
        (
            end(Archive::new()
                .raw(Header::new(b'x', b"x").size(4), b"junk")
                .file("x", b"")),
            "malformed extended header",
        ),
        (
            end(Archive::new()
                .raw(Header::new(b'x', b"x").size(2 << 20), &[])
                .file("x", b"")),
            "too large",
        ),
        (end(Archive::new().pax(&[("path", b"x")])), "not a tar header"),
        (
            vec![Archive::new().pax(&[("path", b"x")]).0],
            "archive is truncated",
        ),
        (
            end(Archive::new()
                .pax(&[("GNU.sparse.size", b"9"), ("GNU.sparse.map", b"5,5")])
                .file("x", b"12345")),
            "sparse",
        ),
        (
            end(Archive::new()
                .pax(&[("GNU.sparse.map", b"0,5")])
                .file("x", b"12345")),
            "sparse",
        ),
        (
            end(Archive::new()
                .pax(&[
                    ("GNU.sparse.size", b"9223372036854775806"),
                    ("GNU.sparse.map", b""),
                ])
                .file("x", b"")),
            "image is larger than 16 TiB",
        ),
    ] {
        if expected.is_empty() {
            build(&layers);
        } else {
            let text = fault(&layers);
            assert!(text.contains(expected), "{text:?} does not say {expected:?}");
        }
    }
}

#[test]
fn truncated_and_damaged_archives() {
    let content = noise(1, 3000);
    let whole = Archive::new()
        .file("dir/a", &content)
        .pax(&[("path", b"dir/b")])
        .file("x", &content);
    for length in 0..whole.0.len() {
        // Between entries; the padding of the last file may be missing.
        let complete =
            length == 0 || (512 + 3000..=512 + 3072).contains(&length) || length >= whole.0.len() - 72;
        if length % 97 != 0 && length % 512 > 1 {
            continue;
        }
        let layers = [whole.0[..length].to_vec()];
        if complete {
            build(&layers);
        } else {
            let text = fault(&layers);
            assert!(text.ends_with("archive is truncated"), "{length}: {text}");
        }
    }
    assert!(fault(&[b"this is not an archive".repeat(100)]).ends_with("not a tar header"));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &whole.clone().end()).unwrap();
    let mut gzip = gzip.finish().unwrap();
    gzip.truncate(gzip.len() - 9);
    assert!(fault(&[gzip]).contains("cannot read"));
    let lone = whole.clone().bytes(&[0; 512]).file("hidden", b"");
    assert!(fault(&[lone.end()]).ends_with("not a tar header"));
}

#[test]
fn limits() {
    let small = Options {
        max_bytes: 100_000,
        max_entries: 50,
    };
    let with = |layers: &[Vec<u8>]| fault_with(layers, small.clone());
    let bomb = zstd::encode_all(Archive::new().file("big", &vec![0; 50 << 20]).end().as_slice(), 1).unwrap();
    assert!(bomb.len() < 10_000);
    assert!(with(&[bomb]).ends_with("more than 100000 bytes uncompressed"));
    let half = Archive::new().file("f", &noise(1, 60_000)).end();
    assert!(with(&[half.clone(), half]).starts_with("layer 1"));
    assert!(with(&[vec![0; 200_000]]).ends_with("more than 100000 bytes uncompressed"));
    let many = (0..51).fold(Archive::new(), |archive, _| archive.directory("same", 0o755));
    assert!(with(&[many.end()]).ends_with("more than 50 entries"));
    let deep = Archive::new()
        .file(&"d/".repeat(45), b"")
        .directory("e/f/g/h/i/j", 0o755);
    assert!(with(&[deep.end()]).ends_with("more than 50 entries"));
    let zeros = zstd::encode_all(std::io::Read::take(std::io::repeat(0), 30 << 20), 1).unwrap();
    assert!(fault(&[zeros]).ends_with("data after the end of the archive"));
}

#[test]
fn digests() {
    let layer = Archive::new().file("f", b"x").end();
    let file = || tempfile::tempfile().unwrap();
    let mut builder = Builder::new(file(), Options::default()).unwrap();
    let summary = builder.add_layer(layer.as_slice(), None).unwrap();
    assert_eq!((summary.bytes, summary.entries), (layer.len() as u64, 1));
    builder
        .add_layer(layer.as_slice(), Some(summary.diff_id))
        .unwrap();
    let mut padded = layer.clone();
    padded.extend([0; 512]);
    let error = builder
        .add_layer(padded.as_slice(), Some(summary.diff_id))
        .unwrap_err();
    let container_erofs::Error::Layer {
        layer: 2,
        source: Fault::WrongDiffId { expected, actual },
        ..
    } = error
    else {
        panic!("{error}")
    };
    assert_ne!(expected, actual);
    assert!(matches!(
        builder.add_layer(layer.as_slice(), None),
        Err(container_erofs::Error::Incomplete)
    ));
    assert!(matches!(
        builder.finish(),
        Err(container_erofs::Error::Incomplete)
    ));
}

#[test]
fn repeated_opaque_entries_take_linear_time() {
    let count = 20_000;
    let mut archive = Archive::new();
    for i in 0..count {
        archive = archive.file(&format!("d/{i}"), b"");
    }
    for _ in 0..count {
        archive = archive.file("d/.wh..wh..opq", b"").file(".wh.d", b"");
    }
    let start = std::time::Instant::now();
    assert_eq!(build(&[archive.end()]).len(), count + 2);
    assert!(start.elapsed().as_secs() < 180, "{:?}", start.elapsed());
}

/// Damages an archive at random places: whatever is accepted has to be a sound image.
#[test]
fn random_damage() {
    let base = Archive::new()
        .directory("d/", 0o755)
        .file("d/f", &noise(1, 5000))
        .hard_link("d/g", "d/f")
        .symlink("s", "d")
        .pax(&[
            ("path", b"s/pax"),
            ("mtime", b"12.5"),
            ("SCHILY.xattr.user.a", b"b"),
            ("size", b"3"),
        ])
        .file("x", b"abc")
        .gnu_long(b'L', b"s/long")
        .file("y", b"")
        .pax(&[("GNU.sparse.size", b"9000"), ("GNU.sparse.map", b"4096,10")])
        .file("sparse", &noise(2, 10))
        .raw(Header::new(b'3', b"dev").device(1, 3), &[])
        .file("d/.wh.f", b"")
        .end();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image");
    let mut accepted = 0;
    for round in 0..400 {
        let random = noise(round, 64);
        let number = |at: usize| usize::from(random[at]) << 8 | usize::from(random[at + 1] & 0xfe);
        let mut layer = base.clone();
        for change in 0..=usize::from(random[0] % 3) {
            let at = number(2 + 6 * change) % layer.len();
            layer[at] = match random[4 + 6 * change] >> 1 & 3 {
                0 => random[5 + 6 * change],
                1 => 0,
                2 => layer[at] ^ 1 << (random[5 + 6 * change] >> 5),
                _ => b"0/.7\n=9x"[usize::from(random[5 + 6 * change] >> 5)],
            };
        }
        // Most damage is to headers; a correct checksum gets it past the first test.
        for header in layer.as_chunks_mut::<512>().0 {
            if header[257..262] == *b"ustar" {
                *header = Header(*header).finish();
            }
        }
        let lower = base.clone();
        let Ok(_) = try_build(
            &path,
            &[lower, layer],
            Options {
                max_bytes: 1 << 20,
                max_entries: 1000,
            },
        ) else {
            continue;
        };
        accepted += 1;
        crate::reader::read(&std::fs::read(&path).unwrap());
        if accepted % 20 == 0 {
            crate::check(&path);
        }
    }
    assert!(accepted > 40, "{accepted}");
}

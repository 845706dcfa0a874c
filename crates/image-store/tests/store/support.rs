//! Images made by hand, and a look at what a store holds.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// `sha256:…` of `bytes`.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{hex}")
}

/// How a layer is compressed.
#[derive(Clone, Copy)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
}

/// A layer with `files`; their names end in `/` for directories.
pub(crate) fn layer(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, contents) in files {
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o755);
        header.set_mtime(1_700_000_000);
        header.set_entry_type(if name.ends_with('/') {
            tar::EntryType::Directory
        } else {
            tar::EntryType::Regular
        });
        header.set_size(contents.len() as u64);
        builder.append_data(&mut header, name, *contents).unwrap();
    }
    builder.into_inner().unwrap()
}

/// An OCI image layout in a directory.
pub(crate) struct Layout {
    pub(crate) dir: PathBuf,
    manifests: Vec<Value>,
}

impl Layout {
    pub(crate) fn new(dir: &Path) -> Self {
        fs::create_dir_all(dir.join("blobs/sha256")).unwrap();
        fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        Self {
            dir: dir.to_owned(),
            manifests: Vec::new(),
        }
    }

    pub(crate) fn blob(&self, bytes: &[u8]) -> String {
        let digest = digest(bytes);
        fs::write(self.path(&digest), bytes).unwrap();
        digest
    }

    pub(crate) fn path(&self, digest: &str) -> PathBuf {
        self.dir
            .join("blobs/sha256")
            .join(digest.strip_prefix("sha256:").unwrap())
    }

    /// Adds the blobs of an image; the answer is its manifest's descriptor.
    pub(crate) fn manifest(&self, platform: &str, layers: &[Vec<u8>], compression: Compression) -> Value {
        let (os, architecture) = platform.split_once('/').unwrap();
        let diff_ids: Vec<String> = layers.iter().map(|layer| digest(layer)).collect();
        let config = serde_json::to_vec(&json!({
            "created": "2026-01-02T03:04:05Z",
            "os": os,
            "architecture": architecture,
            "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/true"]},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        }))
        .unwrap();
        let layers: Vec<Value> = layers
            .iter()
            .map(|layer| {
                let (suffix, bytes) = match compression {
                    Compression::None => ("", layer.clone()),
                    Compression::Gzip => ("+gzip", gzip(layer)),
                    Compression::Zstd => ("+zstd", zstd::encode_all(&layer[..], 3).unwrap()),
                };
                let media_type = format!("application/vnd.oci.image.layer.v1.tar{suffix}");
                json!({"mediaType": media_type, "digest": self.blob(&bytes), "size": bytes.len()})
            })
            .collect();
        let manifest = serde_json::to_vec(&json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": self.blob(&config),
                "size": config.len(),
            },
            "layers": layers,
        }))
        .unwrap();
        json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": self.blob(&manifest),
            "size": manifest.len(),
            "platform": {"os": os, "architecture": architecture},
        })
    }

    /// Adds an index around manifests; the answer is its descriptor.
    pub(crate) fn index(&self, manifests: &[Value]) -> Value {
        let media_type = "application/vnd.oci.image.index.v1+json";
        let index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests});
        let bytes = serde_json::to_vec(&index).unwrap();
        json!({"mediaType": media_type, "digest": self.blob(&bytes), "size": bytes.len()})
    }

    /// Lists an image under the annotation that most tools write.
    pub(crate) fn add(&mut self, reference: &str, descriptor: Value) {
        self.add_annotated(&[("org.opencontainers.image.ref.name", reference)], descriptor);
    }

    pub(crate) fn add_annotated(&mut self, annotations: &[(&str, &str)], mut descriptor: Value) {
        for (name, value) in annotations {
            descriptor["annotations"][*name] = json!(value);
        }
        self.manifests.push(descriptor);
        let index = json!({"schemaVersion": 2, "manifests": self.manifests});
        fs::write(self.dir.join("index.json"), serde_json::to_vec(&index).unwrap()).unwrap();
    }

    /// The layout as a tar archive.
    pub(crate) fn tar(&self) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        builder.append_dir_all(".", &self.dir).unwrap();
        builder.into_inner().unwrap()
    }
}

/// A layout with one image of two layers, `example.com/app:1`.
pub(crate) fn small_layout(dir: &Path) -> Layout {
    let mut layout = Layout::new(dir);
    let layers = [
        layer(&[("bin/", b""), ("bin/true", b"#!/bin/sh\n")]),
        layer(&[("etc/", b""), ("etc/motd", b"hello\n")]),
    ];
    let manifest = layout.manifest("linux/amd64", &layers, Compression::Gzip);
    layout.add("example.com/app:1", manifest);
    layout
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Runs a program that has to succeed.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| {
            panic!("{program} is needed by this test: {error}");
        });
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// The digests of a store's blobs, each of them checked. Panics when anything half-written is left.
pub(crate) fn blobs(app_root: &Path) -> Vec<String> {
    for ingest in ["content/ingest", "snapshots/ingest"] {
        let left: Vec<_> = fs::read_dir(app_root.join(ingest)).unwrap().collect();
        assert!(left.is_empty(), "{ingest}: {left:?}");
    }
    let mut digests = Vec::new();
    for entry in fs::read_dir(app_root.join("content/blobs/sha256")).unwrap() {
        let entry = entry.unwrap();
        let actual = digest(&fs::read(entry.path()).unwrap());
        assert_eq!(actual, format!("sha256:{}", entry.file_name().to_str().unwrap()));
        digests.push(actual);
    }
    digests.sort();
    digests
}

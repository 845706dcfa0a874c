//! An OCI archive whose every byte is known, so that what is said about it can be compared literally.

use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Writes the archive of an image `name` for amd64 and arm64, which has one empty layer.
///
/// # Panics
/// When the file cannot be written.
pub fn write_known_image(path: &Path, name: &str) {
    let mut archive = tar::Builder::new(std::fs::File::create(path).expect("the archive"));
    // Two blocks of zeros end a tar archive, and this one has nothing else.
    let layer = descriptor(&mut archive, "application/vnd.oci.image.layer.v1.tar", &[0; 1024]);
    let manifests: Vec<Value> = ["amd64", "arm64"]
        .map(|architecture| {
            let config = json!({
                "architecture": architecture,
                "os": "linux",
                "created": "2024-05-06T07:08:09.123456789Z",
                "author": "a/b",
                "config": { "Env": ["PATH=/bin"], "Cmd": ["sh"], "Labels": { "z": "1", "a": "ü" } },
                "rootfs": { "type": "layers", "diff_ids": [layer["digest"]] },
                "history": [{ "created": "2024-05-06T07:08:09Z", "created_by": "by hand" }],
            });
            let config = document(&mut archive, "application/vnd.oci.image.config.v1+json", &config);
            let manifest = json!({
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": config,
                "layers": [layer],
            });
            let mut manifest = document(
                &mut archive,
                "application/vnd.oci.image.manifest.v1+json",
                &manifest,
            );
            manifest["platform"] = json!({ "architecture": architecture, "os": "linux" });
            manifest
        })
        .into();
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": manifests,
    });
    let mut index = document(&mut archive, "application/vnd.oci.image.index.v1+json", &index);
    index["annotations"] = json!({ "org.opencontainers.image.ref.name": name });
    let layout = json!({ "imageLayoutVersion": "1.0.0" });
    append(&mut archive, "oci-layout", layout.to_string().as_bytes());
    let top = json!({ "schemaVersion": 2, "manifests": [index] });
    append(&mut archive, "index.json", top.to_string().as_bytes());
    archive.finish().expect("the archive");
}

type Archive = tar::Builder<std::fs::File>;

fn document(archive: &mut Archive, media_type: &str, document: &Value) -> Value {
    descriptor(archive, media_type, document.to_string().as_bytes())
}

/// Adds a blob; the answer is its descriptor.
fn descriptor(archive: &mut Archive, media_type: &str, bytes: &[u8]) -> Value {
    let hex: String = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    append(archive, &format!("blobs/sha256/{hex}"), bytes);
    json!({ "mediaType": media_type, "digest": format!("sha256:{hex}"), "size": bytes.len() })
}

fn append(archive: &mut Archive, path: &str, bytes: &[u8]) {
    let mut header = tar::Header::new_ustar();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, path, bytes).expect("a member");
}

//! What fuzz targets run (tests/fuzz): the parsers of what registries and images say, which are no part of the interface.

use oci_spec::image::{Descriptor, Digest, MediaType};
use reqwest::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};

use crate::digest;
use crate::error::Result;
use crate::graph::{self, Documents, Reachable};
use crate::registry::challenge::Challenge;

/// Documents that stand for one another: a digest's last digit says which one is found under it, the first for 0.
#[derive(Debug)]
struct Any<'a>(Vec<&'a [u8]>);

impl Documents for Any<'_> {
    fn document(&self, digest: &Digest) -> Result<Vec<u8>> {
        let digit = digest::hex(digest)?.bytes().last().unwrap_or(b'0');
        let number = char::from(digit).to_digit(16).unwrap_or(0) as usize;
        Ok(self.0[number % self.0.len()].to_vec())
    }
}

/// Follows the indexes, manifests and configurations that `bytes` hold, NUL bytes between them, from the first on.
///
/// # Panics
///
/// A parser is wrong.
pub fn documents(bytes: &[u8]) {
    let documents = Any(bytes.split(|byte| *byte == 0).collect());
    let first: Digest = match format!("sha256:{}", "0".repeat(64)).parse() {
        Ok(digest) => digest,
        Err(error) => unreachable!("{error}"),
    };
    for media_type in [MediaType::ImageIndex, MediaType::ImageManifest] {
        let root = Descriptor::new(media_type, bytes.len() as u64, first.clone());
        // What is found depends on nothing but the documents, and errors are as good as answers.
        let found = graph::manifests(&documents, &root).unwrap_or_default();
        for manifest in &found {
            if let Ok(Some(platform)) = graph::platform(&documents, manifest) {
                assert!(graph::select(&documents, &root, &platform).is_ok());
                let wrapped = graph::wrap(manifest, &platform);
                assert!(wrapped.is_ok_and(|index| !index.is_empty()));
            }
        }
        let mut reachable = Reachable::default();
        assert!(reachable.add(&documents, &root).is_ok());
        assert!(reachable.blobs.contains(&first));
    }
    for document in &documents.0 {
        if let Ok(configuration) = graph::parse_bytes(document, &first, "image configuration") {
            let chain_id = graph::chain_id(&configuration);
            assert!(digest::hex(&chain_id).is_ok(), "{chain_id}");
        }
    }
}

/// Reads the lines of `bytes` as `WWW-Authenticate` headers.
///
/// # Panics
///
/// The parser is wrong.
pub fn challenge(bytes: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(WWW_AUTHENTICATE, value);
        }
    }
    if let Some(Challenge::Bearer { realm, service }) = Challenge::of(&headers) {
        assert!(matches!(realm.scheme(), "http" | "https"), "{realm}");
        assert_ne!(service.as_deref(), Some(""));
    }
}

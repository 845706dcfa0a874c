//! SHA-256 digests, the only kind this store holds.

use oci_spec::image::{Digest, DigestAlgorithm, Sha256Digest};
use sha2::{Digest as _, Sha256};

use crate::{Error, Result};

/// The hex digits of a SHA-256 digest; they are also the blob's file name.
pub(crate) fn hex(digest: &Digest) -> Result<&str> {
    match digest.algorithm() {
        DigestAlgorithm::Sha256 => Ok(digest.digest()),
        _ => Err(Error::UnsupportedDigest(digest.clone())),
    }
}

/// A digest from its hex digits; none when they are not 64 lower case ones.
pub(crate) fn from_hex(hex: &str) -> Option<Digest> {
    hex.parse::<Sha256Digest>().ok().map(Into::into)
}

/// The digest of `bytes`.
pub(crate) fn of(bytes: &[u8]) -> Digest {
    finish(Sha256::new_with_prefix(bytes))
}

/// The digest of everything `hasher` was fed.
pub(crate) fn finish(hasher: Sha256) -> Digest {
    use std::fmt::Write;
    let mut text = String::from("sha256:");
    for byte in hasher.finalize() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.parse()
        .unwrap_or_else(|_| unreachable!("64 hex digits are a digest"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_of_bytes() {
        let digest = of(b"{}");
        assert_eq!(
            digest.to_string(),
            "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        );
        assert_eq!(hex(&digest).ok().and_then(from_hex), Some(digest));
    }

    #[test]
    fn other_algorithms_are_refused() {
        let digest: Digest = format!("sha512:{}", "0".repeat(128)).parse().unwrap();
        assert_eq!(
            hex(&digest).unwrap_err().to_string(),
            format!("unsupported digest {digest}")
        );
        assert_eq!(from_hex("../../etc/passwd"), None);
        assert_eq!(from_hex(&"A".repeat(64)), None);
    }
}

//! Digests of kernel archives.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::str::FromStr;

use container_ipc::Error;
use sha2::{Digest, Sha256};

/// An expected SHA-256, in lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sha256Digest(String);

impl Sha256Digest {
    /// Compares with what was found.
    ///
    /// # Errors
    /// They differ.
    pub(super) fn compare(&self, found: &Self) -> Result<(), Error> {
        if self == found {
            return Ok(());
        }
        let text = format!(
            "kernel archive digest mismatch: expected sha256:{}, got sha256:{}",
            self.0, found.0
        );
        Err(Error::invalid_argument(text))
    }

    /// Compares with the digest of a file.
    ///
    /// # Errors
    /// They differ, or the file cannot be read.
    pub(super) fn check(&self, file: &Path) -> Result<(), Error> {
        let found = File::open(file).and_then(hash);
        let found =
            found.map_err(|error| Error::internal(format!("failed to read {}: {error}", file.display())))?;
        self.compare(&found)
    }

    /// What a hasher has found.
    pub(super) fn of(hasher: Sha256) -> Self {
        use std::fmt::Write as _;
        Self(hasher.finalize().iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        }))
    }
}

fn hash(mut file: File) -> io::Result<Sha256Digest> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 128 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Sha256Digest::of(hasher)),
            length => hasher.update(&buffer[..length]),
        }
    }
}

impl FromStr for Sha256Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let Some((algorithm, hex)) = text
            .split_once(':')
            .filter(|(algorithm, hex)| !algorithm.is_empty() && !hex.is_empty())
        else {
            return Err(Error::invalid_argument(format!(
                "invalid digest value '{text}': expected '<algorithm>:<hex>'"
            )));
        };
        if !algorithm.eq_ignore_ascii_case("sha256") {
            return Err(Error::invalid_argument(format!(
                "unsupported digest algorithm '{algorithm}'"
            )));
        }
        if hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(Error::invalid_argument(format!(
                "invalid sha256 digest value '{text}'"
            )));
        }
        Ok(Self(hex.to_ascii_lowercase()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_apples() {
        let parse = |text: &str| {
            text.parse::<Sha256Digest>()
                .map(|_| ())
                .map_err(|error| error.to_string())
        };
        let hex = "0".repeat(64);
        assert_eq!(parse(&format!("sha256:{hex}")), Ok(()));
        assert_eq!(
            parse(&hex),
            Err(format!(
                "invalid digest value '{hex}': expected '<algorithm>:<hex>'"
            ))
        );
        assert_eq!(
            parse("md5:00"),
            Err("unsupported digest algorithm 'md5'".to_owned())
        );
        assert_eq!(
            parse("sha256:0"),
            Err("invalid sha256 digest value 'sha256:0'".to_owned())
        );
        assert!(parse(&format!("sha256:{}", "g".repeat(64))).is_err());
    }

    #[test]
    fn files_are_checked() -> Result<(), Box<dyn std::error::Error>> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), "abc")?;
        let abc = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD";
        format!("sha256:{abc}")
            .parse::<Sha256Digest>()?
            .check(file.path())?;
        let zero = "0".repeat(64);
        let error = format!("sha256:{zero}")
            .parse::<Sha256Digest>()?
            .check(file.path());
        assert_eq!(
            error.map_err(|error| error.to_string()),
            Err(format!(
                "kernel archive digest mismatch: expected sha256:{zero}, got sha256:{}",
                abc.to_ascii_lowercase()
            ))
        );
        Ok(())
    }
}

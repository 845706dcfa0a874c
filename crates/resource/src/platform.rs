//! Operating system and processor architecture (behaviour reference, 9.15).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `os/arch[/variant]`, normalised: `aarch64` is `arm64`, `x86_64` is `amd64`, and a variant that says nothing new
/// (`arm64/v8`, `amd64/v1`) is dropped.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Platform {
    /// The operating system, such as `linux`.
    pub os: String,
    /// The architecture in Go's terms, such as `arm64`.
    pub architecture: String,
    /// The architecture's variant, such as `v7`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub variant: Option<String>,
}

/// A text that is not a platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid platform \"{0}\"")]
pub struct InvalidPlatform(pub String);

impl Platform {
    /// A platform from its parts, normalised.
    pub fn new(os: &str, architecture: &str, variant: Option<&str>) -> Self {
        let architecture = normal_architecture(architecture);
        let variant = match (
            architecture.as_str(),
            variant.filter(|variant| !variant.is_empty()),
        ) {
            ("arm64", Some("v8" | "8")) | ("amd64", Some("v1")) => None,
            ("arm", None) => Some("v7".to_owned()),
            (_, variant) => variant.map(str::to_owned),
        };
        Self {
            os: os.to_ascii_lowercase(),
            architecture,
            variant,
        }
    }

    /// Linux on the architecture of this host.
    pub fn linux_host() -> Self {
        Self::new("linux", std::env::consts::ARCH, None)
    }

    /// Whether this host's processor executes it without emulation.
    pub fn is_host_architecture(&self) -> bool {
        self.architecture == Self::linux_host().architecture
    }
}

fn normal_architecture(architecture: &str) -> String {
    match architecture.to_ascii_lowercase().as_str() {
        "x86_64" | "x86-64" | "amd64" => "amd64".to_owned(),
        "aarch64" | "arm64" => "arm64".to_owned(),
        "i386" | "x86" | "386" => "386".to_owned(),
        other => other.to_owned(),
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant
            .iter()
            .try_for_each(|variant| write!(f, "/{variant}"))
    }
}

impl FromStr for Platform {
    type Err = InvalidPlatform;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidPlatform(text.to_owned());
        let parts: Vec<&str> = text.split('/').collect();
        let (os, architecture, variant) = match parts[..] {
            [os, architecture] => (os, architecture, None),
            [os, architecture, variant] if !variant.is_empty() => (os, architecture, Some(variant)),
            _ => return Err(invalid()),
        };
        let word = |word: &str| {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        };
        if !matches!(os.to_ascii_lowercase().as_str(), "linux" | "windows" | "darwin")
            || !word(architecture)
            || !variant.is_none_or(word)
        {
            return Err(invalid());
        }
        Ok(Self::new(os, architecture, variant))
    }
}

impl From<&oci_spec::image::Platform> for Platform {
    fn from(platform: &oci_spec::image::Platform) -> Self {
        Self::new(
            &platform.os().to_string(),
            &platform.architecture().to_string(),
            platform.variant().as_deref(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<String> {
        text.parse::<Platform>().ok().map(|platform| platform.to_string())
    }

    #[test]
    fn normalises_aliases_and_variants() {
        assert_eq!(parsed("linux/x86_64").as_deref(), Some("linux/amd64"));
        assert_eq!(parsed("Linux/aarch64/v8").as_deref(), Some("linux/arm64"));
        assert_eq!(parsed("linux/arm").as_deref(), Some("linux/arm/v7"));
        assert_eq!(parsed("linux/arm/v6").as_deref(), Some("linux/arm/v6"));
        assert_eq!(parsed("linux/amd64/v1").as_deref(), Some("linux/amd64"));
    }

    #[test]
    fn refuses_what_is_not_a_platform() {
        for text in [
            "",
            "linux",
            "linux/",
            "plan9/amd64",
            "linux/amd64/",
            "linux/a b",
            "linux/arm/v7/x",
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }
}

//! The configuration object: what `system property list` prints (behaviour reference, 7.2).
//!
//! Sections are lower case, keys are camelCase, unknown ones are ignored.

use std::collections::BTreeMap;

use container_resource::MemorySize;
use serde::{Deserialize, Serialize};

/// The merged configuration with every default filled in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SystemConfiguration {
    /// `[build]`: the builder's virtual machine.
    pub build: Build,
    /// `[container]`: defaults of new containers.
    pub container: Container,
    /// `[dns]`: the containers' domain.
    pub dns: Dns,
    /// `[kernel]`: the recommended kernel.
    pub kernel: Kernel,
    /// `[logs]`: what is kept of the containers' output.
    pub logs: Logs,
    /// `[machine]`: defaults of container machines.
    pub machine: Machine,
    /// `[network]`: the built-in network.
    pub network: Network,
    /// `[registry]`: the default registry.
    pub registry: Registry,
    /// `[vminit]`: the init image.
    pub vminit: Vminit,
}

/// `[build]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Build {
    /// Whether x86-64 build steps run through Rosetta.
    pub rosetta: bool,
    /// Processors of the builder.
    pub cpus: u32,
    /// Memory of the builder.
    pub memory: MemorySize,
    /// The builder's image.
    pub image: String,
}

impl Default for Build {
    fn default() -> Self {
        Self {
            rosetta: true,
            cpus: 2,
            memory: MemorySize::mib(2048),
            image: "ghcr.io/apple/container-builder-shim/builder:0.13.1".to_owned(),
        }
    }
}

/// `[container]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Container {
    /// Processors of a container that asks for none.
    pub cpus: u32,
    /// Memory limit of a container that asks for none.
    pub memory: MemorySize,
}

impl Default for Container {
    fn default() -> Self {
        Self {
            // More processors than the host has make nothing faster, and a hypervisor may refuse them.
            cpus: processors().min(4),
            memory: MemorySize::gib(1),
        }
    }
}

/// The host's processors.
fn processors() -> u32 {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    u32::try_from(processors).unwrap_or(u32::MAX)
}

/// `[dns]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dns {
    /// The domain under which containers are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
}

/// `[kernel]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Kernel {
    /// The kernel's path inside the archive.
    pub binary_path: String,
    /// The archive.
    pub url: String,
    /// The archive's digest; mandatory when `url` is not the default one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// The archive that `system kernel set --recommended` downloads unless configured otherwise.
pub const DEFAULT_KERNEL_URL: &str = "https://github.com/kata-containers/kata-containers/releases/download/3.28.0/kata-static-3.28.0-arm64.tar.zst";
/// The digest of [`DEFAULT_KERNEL_URL`].
pub const DEFAULT_KERNEL_DIGEST: &str =
    "sha256:f63d54507d1f18635d94475077e4c2330de4d8e05cedf25f7c38f063b0e66a91";

impl Default for Kernel {
    fn default() -> Self {
        Self {
            binary_path: "opt/kata/share/kata-containers/vmlinux-6.18.15-186".to_owned(),
            url: DEFAULT_KERNEL_URL.to_owned(),
            digest: None,
        }
    }
}

/// `[logs]`. An addition to Apple's configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Logs {
    /// The size at which a log file is full and the next one is begun.
    pub max_size: MemorySize,
    /// How many log files of a container are kept.
    pub max_files: u32,
}

impl Default for Logs {
    fn default() -> Self {
        Self {
            max_size: MemorySize::mib(20),
            max_files: 5,
        }
    }
}

/// `[machine]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Machine {
    /// Processors.
    pub cpus: u32,
    /// Memory.
    pub memory: MemorySize,
    /// How the user's home is mounted.
    pub home_mount: HomeMount,
    /// Whether the machine may itself run virtual machines.
    pub virtualization: bool,
    /// A kernel of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel_path: Option<String>,
}

/// How a machine sees the user's home directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HomeMount {
    /// Read-only.
    Ro,
    /// Writable.
    Rw,
    /// Not at all.
    None,
}

impl Default for Machine {
    fn default() -> Self {
        let cpus = (processors() / 2).max(4);
        let gib = u32::try_from(physical_memory() / (2 << 30))
            .unwrap_or(u32::MAX)
            .max(1);
        Self {
            cpus,
            memory: MemorySize::gib(gib),
            home_mount: HomeMount::Rw,
            virtualization: false,
            kernel_path: None,
        }
    }
}

/// The host's memory in bytes; 0 when it cannot be read.
fn physical_memory() -> u64 {
    // SAFETY: sysconf takes no pointers and has no effects.
    let (pages, size) = unsafe {
        (
            libc::sysconf(libc::_SC_PHYS_PAGES),
            libc::sysconf(libc::_SC_PAGESIZE),
        )
    };
    u64::try_from(pages)
        .unwrap_or(0)
        .saturating_mul(u64::try_from(size).unwrap_or(0))
}

/// `[network]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Network {
    /// IPv4 subnet of the built-in network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet: Option<String>,
    /// IPv6 subnet of the built-in network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnetv6: Option<String>,
}

/// `[registry]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Registry {
    /// The registry of references that name none.
    pub domain: String,
    /// Mirrors by the registry that they have copies of, in the order in which they are asked before it: hosts, with a
    /// port, a scheme in front, or a path behind them where they need it. An addition to Apple's configuration.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub mirrors: BTreeMap<String, Vec<String>>,
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            domain: "docker.io".to_owned(),
            mirrors: BTreeMap::new(),
        }
    }
}

/// `[vminit]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Vminit {
    /// The init image: taken literally, never normalised.
    pub image: String,
}

impl Default for Vminit {
    fn default() -> Self {
        Self {
            image: "vminit:latest".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_print_as_documented() {
        let config = SystemConfiguration::default();
        let text = toml::to_string(&config).unwrap_or_default();
        for line in [
            "memory = \"2048mb\"",
            "memory = \"1gb\"",
            "maxSize = \"20mb\"",
            "domain = \"docker.io\"",
            "homeMount = \"rw\"",
            "binaryPath = ",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert!(config.machine.cpus >= 4);
        assert!(physical_memory() > 0);
    }
}

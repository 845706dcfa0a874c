//! The kernel that a virtual machine boots.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Platform;

/// A kernel image and the arguments it is booted with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kernel {
    /// The image file: uncompressed `vmlinux` on x86-64, `Image` on arm64.
    pub path: PathBuf,
    /// What it runs on.
    pub platform: Platform,
    /// Additions to the kernel command line.
    #[serde(default)]
    pub command_line: KernelCommandLine,
}

/// Additions to the kernel command line (behaviour reference, 28.2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KernelCommandLine {
    /// Arguments for the kernel, in order.
    #[serde(default)]
    pub kernel_args: Vec<String>,
    /// Arguments for the init process, after `--`.
    #[serde(default)]
    pub init_args: Vec<String>,
}

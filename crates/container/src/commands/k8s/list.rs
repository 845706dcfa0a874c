//! `container k8s list`: list clusters.

use clap::Args;

/// Arguments of `container k8s list`.
#[derive(Args, Debug, Clone)]
pub struct List {}

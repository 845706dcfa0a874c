//! Options for the size of the VM.

use clap::Args;

/// Options for the size of the VM.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Resource options")]
pub struct ResourceFlags {
    /// Number of virtual CPUs.
    #[arg(
        short = 'c',
        long,
        value_name = "cpus",
        help = "Number of virtual CPUs; 1.5 is two of which the container uses three quarters"
    )]
    pub cpus: Option<f64>,
    /// Memory of the VM.
    #[arg(
        short = 'm',
        long,
        value_name = "memory",
        help = "Memory of the VM, at least 200m: a number of bytes, or with K, M, G, T or P"
    )]
    pub memory: Option<String>,
}

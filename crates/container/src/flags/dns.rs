//! Options for the resolver of a container.

use clap::Args;

/// Options for the resolver of a container.
#[derive(Args, Debug, Clone)]
pub struct DnsFlags {
    /// Nameserver address.
    #[arg(long, value_name = "ip", help = "Nameserver address: IPv4/IPv6 literal")]
    pub dns: Vec<String>,
    /// Default DNS domain.
    #[arg(long, value_name = "domain")]
    pub dns_domain: Option<String>,
    /// Resolver option.
    #[arg(long, value_name = "option")]
    pub dns_option: Vec<String>,
    /// Search domain.
    #[arg(long, value_name = "domain")]
    pub dns_search: Vec<String>,
}

//! Options for the container itself (`run`, `create`).

use clap::Args;

use super::dns::DnsFlags;
use super::health::HealthFlags;
use super::values::Pull;

/// Options for the container itself (`run`, `create`).
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Management options")]
pub struct ManagementFlags {
    /// Add a name to /etc/hosts.
    #[arg(
        long,
        value_name = "host",
        help = "Add a name to /etc/hosts: <name>:<ip>, or <name>:host-gateway"
    )]
    pub add_host: Vec<String>,
    /// Architecture to choose from a multi-platform image.
    #[arg(short = 'a', long, value_name = "arch")]
    pub arch: Option<String>,
    /// Grant a Linux capability.
    #[arg(
        long,
        value_name = "cap",
        help = "Add a Linux capability, with or without CAP_, or ALL"
    )]
    pub cap_add: Vec<String>,
    /// Remove a Linux capability.
    #[arg(
        long,
        value_name = "cap",
        help = "Drop a Linux capability, with or without CAP_, or ALL"
    )]
    pub cap_drop: Vec<String>,
    /// File that receives the container id.
    #[arg(long, value_name = "cidfile")]
    pub cidfile: Option<String>,
    /// Do not attach, print the id.
    #[arg(short = 'd', long)]
    pub detach: bool,
    /// Resolver settings.
    #[command(flatten)]
    pub dns: DnsFlags,
    /// Replace the image entrypoint.
    #[arg(long, value_name = "cmd")]
    pub entrypoint: Option<String>,
    /// Additional group of the process.
    #[arg(
        long,
        value_name = "group",
        help = "Additional group of the process: number or name"
    )]
    pub group_add: Vec<String>,
    /// Health check.
    #[command(flatten)]
    pub health: HealthFlags,
    /// Host name in the container.
    #[arg(long, value_name = "hostname")]
    pub hostname: Option<String>,
    /// Run under a small signal-forwarding/reaping init.
    #[arg(long)]
    pub init: bool,
    /// VM init filesystem image to use.
    #[arg(long, value_name = "image")]
    pub init_image: Option<String>,
    /// Journal of the container's own disk.
    #[arg(
        long,
        value_name = "journal",
        help = "Journal of the container's own disk: <ordered|writeback|journal>[:<size>]"
    )]
    pub journal: Option<String>,
    /// Kernel binary for this container.
    #[arg(short = 'k', long, value_name = "path")]
    pub kernel: Option<String>,
    /// Extra kernel command line word.
    #[arg(long, value_name = "arg")]
    pub kernel_arg: Vec<String>,
    /// Attach a label.
    #[arg(short = 'l', long, value_name = "label", help = "Attach a label: key[=value]")]
    pub label: Vec<String>,
    /// Hide a path in the container (experimental).
    #[arg(
        long,
        value_name = "path",
        help = "Hide an absolute path, or NONE to empty the list so far (experimental)"
    )]
    pub masked_path: Vec<String>,
    /// Add a mount.
    #[arg(
        long,
        value_name = "mount",
        help = "Add a mount: type=<bind|tmpfs|volume>,source=S,target=T[,readonly][,size=N][,mode=M]"
    )]
    pub mount: Vec<String>,
    /// Container id.
    #[arg(
        long,
        value_name = "name",
        help = "Id of the container; a random one when absent"
    )]
    pub name: Option<String>,
    /// Attach to a network.
    #[arg(
        long,
        value_name = "network",
        help = "Attach to a network: <name>[,mac=XX:XX:XX:XX:XX:XX][,mtu=N][,ip=A.B.C.D][,alias=NAME], or none"
    )]
    pub network: Vec<String>,
    /// Leave resolv.conf alone.
    #[arg(long)]
    pub no_dns: bool,
    /// Operating system to choose from the image.
    #[arg(long, value_name = "os", default_value = "linux")]
    pub os: String,
    /// Limit of processes and threads.
    #[arg(
        long,
        value_name = "limit",
        help = "Limit of processes and threads; -1 for none"
    )]
    pub pids_limit: Option<i64>,
    /// All capabilities, nothing hidden or read-only.
    #[arg(long)]
    pub privileged: bool,
    /// Forward a host port.
    #[arg(
        short = 'p',
        long,
        value_name = "spec",
        help = "Forward a host port: [host-ip:]host-port[-end]:container-port[-end][/tcp|udp]"
    )]
    pub publish: Vec<String>,
    /// Platform to choose; wins over --os/--arch.
    #[arg(
        long,
        value_name = "platform",
        help = "Platform to choose: os/arch[/variant]; wins over --os and --arch"
    )]
    pub platform: Option<String>,
    /// When to pull the image.
    #[arg(long, value_name = "when", default_value = "missing")]
    pub pull: Pull,
    /// Expose a guest unix socket on the host.
    #[arg(
        long,
        value_name = "spec",
        help = "Expose a guest unix socket on the host: host_path:container_path"
    )]
    pub publish_socket: Vec<String>,
    /// Mount the root filesystem read-only.
    #[arg(long)]
    pub read_only: bool,
    /// Make a path read-only (experimental).
    #[arg(
        long,
        value_name = "path",
        help = "Make an absolute path read-only, or NONE to empty the list so far (experimental)"
    )]
    pub read_only_path: Vec<String>,
    /// When to start the container again.
    #[arg(
        long,
        value_name = "policy",
        conflicts_with = "rm",
        help = "When to start it again: no, on-failure[:<retries>], always or unless-stopped"
    )]
    pub restart: Option<String>,
    /// Delete the container once it stops.
    #[arg(long, visible_alias = "remove")]
    pub rm: bool,
    /// Enable Rosetta for amd64 binaries.
    #[arg(long)]
    pub rosetta: bool,
    /// Name of the runtime plugin.
    #[arg(long, value_name = "runtime", default_value = "container-runtime-linux")]
    pub runtime: String,
    /// Forward the SSH agent socket.
    #[arg(long)]
    pub ssh: bool,
    /// Size of /dev/shm.
    #[arg(long, value_name = "shm-size")]
    pub shm_size: Option<String>,
    /// Signal that stop sends first.
    #[arg(
        long,
        value_name = "signal",
        help = "Signal that stop sends first: name or number"
    )]
    pub stop_signal: Option<String>,
    /// Grace period of stop in seconds.
    #[arg(long, value_name = "seconds")]
    pub stop_timeout: Option<u32>,
    /// Set a kernel parameter.
    #[arg(
        long,
        value_name = "sysctl",
        help = "Set a kernel parameter in the guest: <name>=<value>"
    )]
    pub sysctl: Vec<String>,
    /// Mount a tmpfs.
    #[arg(long, value_name = "tmpfs", help = "Mount a tmpfs at an absolute path")]
    pub tmpfs: Vec<String>,
    /// Nested virtualization.
    #[arg(long)]
    pub virtualization: bool,
    /// Bind mount or volume.
    #[arg(
        short = 'v',
        long,
        value_name = "volume",
        help = "Bind mount or volume: [host-path|volume-name:]container-path[:options]"
    )]
    pub volume: Vec<String>,
}

//! The root command and its dispatch (behaviour.md 1).

use clap::{ArgAction, CommandFactory, Parser, Subcommand};

use crate::commands::{
    build::Build, builder::Builder, container::ContainerCommand, help::Help, image::Image, k8s::K8s,
    machine::Machine, network::Network, registry::Registry, system::System, volume::Volume,
};
use crate::flags::{logging::LoggingFlags, values::CompletionShell};

/// The root command.
#[derive(Parser, Debug, Clone)]
#[command(
    name = "container",
    about = "Run containers, each in a lightweight virtual machine of its own",
    disable_help_subcommand = true,
    args_override_self = true,
    color = clap::ColorChoice::Never,
)]
pub struct Cli {
    /// Show the version.
    #[arg(long)]
    pub version: bool,
    /// Show help information, hidden items included.
    #[arg(long, hide = true, global = true, action = ArgAction::Help)]
    help_hidden: Option<bool>,
    /// Print a completion script.
    #[arg(long, hide = true, value_name = "shell")]
    pub generate_completion_script: Option<CompletionShell>,
    /// Print the command tree as JSON.
    #[arg(long, hide = true)]
    pub experimental_dump_help: bool,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// The command; without one the help is printed.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Everything that can be the first word.
#[derive(Subcommand, Debug, Clone)]
pub enum Command {
    /// Show the help of a command.
    #[command(hide = true)]
    Help(Help),
    /// Commands about containers.
    #[command(flatten)]
    Container(ContainerCommand),
    /// Build an image with the BuildKit builder VM.
    Build(Box<Build>),
    /// Image operations.
    #[command(visible_alias = "i")]
    Image(Image),
    /// Registry logins.
    #[command(visible_alias = "r")]
    Registry(Registry),
    /// Long-lived Linux VMs that follow the user of this host.
    #[command(visible_alias = "m")]
    Machine(Machine),
    /// Volumes.
    #[command(visible_alias = "v")]
    Volume(Volume),
    /// Builder VM.
    Builder(Builder),
    /// Networks.
    #[command(visible_alias = "n")]
    Network(Network),
    /// Service management.
    #[command(visible_alias = "s")]
    System(System),
    /// Local single-node Kubernetes clusters (experimental).
    #[command(hide = true)]
    K8s(K8s),
    /// A plugin and its arguments.
    #[command(external_subcommand)]
    Plugin(Vec<String>),
}

/// Headings of the root help and the commands below each, in the order of behaviour.md 1.1.
pub const HELP_GROUPS: &[(&str, &[&str])] = &[
    (
        "Container",
        &[
            "attach", "commit", "copy", "create", "delete", "diff", "events", "exec", "export", "inspect",
            "kill", "list", "logs", "pause", "port", "rename", "restart", "run", "start", "stats", "stop",
            "prune", "top", "unpause", "update", "wait",
        ],
    ),
    ("Image", &["build", "image", "registry"]),
    ("Machine", &["machine"]),
    ("Volume", &["volume"]),
    ("Other", &["builder", "network", "system"]),
];

/// The complete command tree, with the arguments that clap adds itself.
pub fn command() -> clap::Command {
    let mut command = Cli::command();
    command.build();
    command
}

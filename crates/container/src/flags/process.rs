//! Options for the process of `run`, `create`, `exec` and `machine run`.

use clap::Args;

/// Options for the process of `run`, `create`, `exec` and `machine run`.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Process options")]
pub struct ProcessFlags {
    /// Add an environment variable.
    #[arg(
        short = 'e',
        long,
        value_name = "env",
        help = "Set an environment variable: KEY=VALUE, or KEY to take it over from here"
    )]
    pub env: Vec<String>,
    /// Read environment variables from a file.
    #[arg(
        long,
        value_name = "env-file",
        help = "Read environment variables from a file of KEY=VALUE lines"
    )]
    pub env_file: Vec<String>,
    /// Group id of the process.
    #[arg(long, value_name = "gid")]
    pub gid: Option<u32>,
    /// Keep stdin connected.
    #[arg(short = 'i', long)]
    pub interactive: bool,
    /// Allocate a pseudo terminal.
    #[arg(short = 't', long)]
    pub tty: bool,
    /// User to run as; wins over --uid/--gid.
    #[arg(
        short = 'u',
        long,
        value_name = "user",
        help = "User to run as: <name|uid>[:<group|gid>]; wins over --uid and --gid"
    )]
    pub user: Option<String>,
    /// Numeric user id.
    #[arg(long, value_name = "uid")]
    pub uid: Option<u32>,
    /// Set a resource limit.
    #[arg(
        long,
        value_name = "limit",
        help = "Set a resource limit: <type>=<soft>[:<hard>], numbers or 'unlimited'"
    )]
    pub ulimit: Vec<String>,
    /// Initial working directory.
    #[arg(short = 'w', long, visible_alias = "cwd", value_name = "dir")]
    pub workdir: Option<String>,
}

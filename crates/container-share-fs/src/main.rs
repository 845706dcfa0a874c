//! `container-share-fs`: serves directories and files of the host to one virtual machine.

mod announced;
mod device;
mod identity;
mod inside;
mod locking;
mod locks;
mod owned;
mod request;
mod server;
mod share;
mod tree;
mod view;

use clap::Parser;

use share::Share;

#[derive(Parser)]
#[command(
    name = "container-share-fs",
    version,
    about = "Serves directories and files of the host to one virtual machine"
)]
struct Cli {
    /// The descriptor of a listening socket to which the machine connects
    #[arg(long)]
    socket_fd: i32,
    /// A directory or file, and the name under which the guest sees it
    #[arg(long = "share", value_name = "name=path")]
    writable: Vec<Share>,
    /// The same, for reading only
    #[arg(long = "read-only-share", value_name = "name=path")]
    read_only: Vec<Share>,
    /// Have the machine ask each time: others change the same files meanwhile
    #[arg(long)]
    no_cache: bool,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let identity = identity::Identity::of_this_process();
    tree::build(identity, &cli.writable, &cli.read_only)?;
    server::serve(cli.socket_fd, identity, !cli.no_cache)
}

//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use container_client::services;
use container_config::{Roots, logging};
use container_ipc::{Listener, ensure_private_dir, runtime_dir, serve};
use container_network_bridge::holder::{self, Hold, Join};
use container_network_bridge::{Network, Service, Settings, Start, router, stop_on_signal};
use tokio_util::sync::CancellationToken;

#[derive(Parser)]
#[command(name = services::NETWORK_PROGRAM, version, about = "Serves one network")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve a network
    Start(Start),
    /// Keep a network's namespace; started by `start`
    #[command(hide = true)]
    Hold(HoldArguments),
}

#[derive(Args)]
struct HoldArguments {
    /// The network's name
    #[arg(long)]
    id: String,
    /// The application root
    #[arg(long)]
    root: PathBuf,
    /// A network namespace to enter instead of making one
    #[arg(long)]
    join_network: Option<PathBuf>,
    /// The user namespace it belongs to
    #[arg(long, requires = "join_network")]
    join_user: Option<PathBuf>,
    /// Seconds to live without a helper and without a virtual machine
    #[arg(long, default_value_t = 60)]
    patience: u64,
}

/// Runs the program.
pub(crate) fn main() -> anyhow::Result<ExitCode> {
    match Cli::parse().command {
        Command::Start(start) => {
            logging::init(start.debug);
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .max_blocking_threads(4)
                .build()?
                .block_on(run(start))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Hold(arguments) => {
            logging::init(false);
            holder::hold(Hold {
                endpoint: Settings::holder_endpoint(&arguments.root, &arguments.id),
                join: Join::from_options(arguments.join_network, arguments.join_user),
                patience: Duration::from_secs(arguments.patience),
            })
        }
    }
}

async fn run(start: Start) -> anyhow::Result<()> {
    let roots = Roots::from_environment().context("failed to find the application root")?;
    ensure_private_dir(&runtime_dir(&roots.app))?;
    // The socket that the API server made, so that it can speak before this process listens; else one of our own.
    let listener = Listener::inherit(&start.endpoint(&roots.app))?;
    let settings = start.settings(&roots.app)?;
    let stop = CancellationToken::new();
    let service = Service::new(Network::new(settings), stop.clone());
    let end = stop_on_signal(stop.clone())?;
    let routes = router(&service);
    tokio::join!(serve(listener, routes, stop), service.run(), end);
    // Whoever made it may be gone already, when the whole system stops.
    let _ = std::fs::remove_file(start.endpoint(&roots.app).socket_path());
    Ok(())
}

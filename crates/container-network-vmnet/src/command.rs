//! The command line.

use anyhow::Context;
use clap::{Parser, Subcommand};
use container_client::services;
use container_config::{Roots, logging};
use container_ipc::{Listener, ensure_private_dir, runtime_dir, serve};
use container_network_bridge::{Settings, Start, stop_on_signal};
use container_network_vmnet::{Error, Interfaces, Service, Shared, Vmnet, refusal, router};
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
}

/// Runs the program.
pub(crate) fn main() -> anyhow::Result<()> {
    let Command::Start(start) = Cli::parse().command;
    logging::init(start.debug);
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .build()?
        .block_on(run(start))
}

async fn run(start: Start) -> anyhow::Result<()> {
    let roots = Roots::from_environment().context("failed to find the application root")?;
    ensure_private_dir(&runtime_dir(&roots.app))?;
    let listener = Listener::bind(&start.endpoint(&roots.app))?;
    let mut settings = start.settings(&roots.app)?;
    let stop = CancellationToken::new();
    let routes = match open(&mut settings) {
        Ok(interfaces) => {
            tracing::info!(subnet = %settings.ipv4, own = interfaces.is_some(), "network is up");
            router(&Service::new(settings, interfaces, stop.clone()))
        }
        Err(error) => {
            tracing::error!("{error}");
            refusal(error, stop.clone())
        }
    };
    let end = stop_on_signal(stop.clone())?;
    tokio::join!(serve(listener, routes, stop), end);
    Ok(())
}

/// A network of its own where macOS has such; else the shared one, which `settings` are of then.
fn open(settings: &mut Settings) -> Result<Option<Box<dyn Interfaces>>, Error> {
    match Vmnet::open(settings)? {
        Some(vmnet) => Ok(Some(Box::new(vmnet))),
        None => Shared::open(settings).map(|_| None),
    }
}

//! The API server's process.

use anyhow::Context;
use clap::{Parser, Subcommand};
use container_apiserver::Server;
use container_client::services;
use container_config::Roots;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Owns the containers of one user.
#[derive(Debug, Parser)]
#[command(name = services::API_SERVER_PROGRAM, version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until told to stop
    Start {
        /// Log debug events
        #[arg(long)]
        debug: bool,
    },
}

fn main() -> anyhow::Result<()> {
    let Command::Start { debug } = Arguments::parse().command;
    container_config::logging::init(debug);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(start(debug))
}

async fn start(debug: bool) -> anyhow::Result<()> {
    let roots = Roots::from_environment().context("failed to find the application root")?;
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
    });
    Server::start(roots, debug).await?.run(shutdown).await;
    Ok(())
}

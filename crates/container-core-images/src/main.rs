//! The image service's process.

use std::sync::Arc;

use anyhow::Context;
use clap::{Parser, Subcommand};
use container_client::services;
use container_config::Roots;
use container_core_images::{mirrors, router, with_logins};
use container_image_store::{ImageStore, Registries, UserSecrets};
use container_ipc::{Endpoint, Listener};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Stores, fetches and unpacks the images of one user.
#[derive(Debug, Parser)]
#[command(name = services::IMAGES_PROGRAM, version)]
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
    // Downloads wait more than they work, and hashing, unpacking and file system calls run on blocking threads, which
    // go away again when there is nothing to do.
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(32)
        .build()?
        .block_on(start())
}

async fn start() -> anyhow::Result<()> {
    let roots = Roots::from_environment().context("failed to find the application root")?;
    let runtime_dir = container_ipc::runtime_dir(&roots.app);
    container_ipc::ensure_private_dir(&runtime_dir)?;
    let configuration = container_config::load(&roots)?;
    let registries = Registries {
        secrets: Some(Arc::new(UserSecrets::new(&roots.app))),
        mirrors: mirrors(&configuration),
        ..Registries::from_environment(|name| std::env::var(name).ok())
    };
    let store = ImageStore::open(&roots.app, registries.clone())?;
    let listener = Listener::bind(&Endpoint::new(&runtime_dir, &services::images()))?;
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
    tracing::info!("serving images of {}", roots.app.display());
    let router = with_logins(router(&store), &registries);
    container_ipc::serve(listener, router, shutdown).await;
    Ok(())
}

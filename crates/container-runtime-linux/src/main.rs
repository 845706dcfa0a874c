//! `container-runtime-linux start --root <bundle> --uuid <id>`: the helper of one container.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use container_client::{Bundle, services};
use container_config::{Roots, logging};
use container_ipc::{Endpoint, Listener, runtime_dir, serve};
use container_runtime_linux::{Runtime, router};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[derive(Parser)]
#[command(
    name = "container-runtime-linux",
    version,
    about = "Runs one container in its own virtual machine"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the container in a bundle
    Start(Start),
}

#[derive(Args)]
struct Start {
    /// The container's bundle
    #[arg(long)]
    root: PathBuf,
    /// The container's id
    #[arg(long)]
    uuid: String,
    /// Log debug messages
    #[arg(long)]
    debug: bool,
}

fn main() -> anyhow::Result<()> {
    let Cli {
        command: Command::Start(start),
    } = Cli::parse();
    logging::init(start.debug);
    container_ports::raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let ended = runtime.block_on(run(start));
    // A thread may still wait for a client that neither reads nor goes away.
    runtime.shutdown_background();
    ended
}

async fn run(start: Start) -> anyhow::Result<()> {
    let listener = listener(&start)?;
    let runtime = Runtime::open(Bundle::new(&start.root)).context("failed to open the bundle")?;
    anyhow::ensure!(
        runtime.id() == start.uuid,
        "the bundle is that of container {}",
        runtime.id()
    );
    let done = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let end = {
        let (runtime, done) = (runtime.clone(), done.clone());
        async move {
            tokio::select! {
                () = runtime.finished() => {}
                _ = terminate.recv() => {
                    runtime.shut_down();
                    runtime.finished().await;
                }
            }
            done.cancel();
        }
    };
    tokio::join!(serve(listener, router(&runtime), done), end);
    Ok(())
}

/// The socket that the API server made, so that it can speak before this process listens; else one of our own.
fn listener(start: &Start) -> anyhow::Result<Listener> {
    let roots = Roots::from_environment()?;
    let service = services::runtime(container_resource::container::LINUX_RUNTIME, &start.uuid);
    let endpoint = Endpoint::new(&runtime_dir(&roots.app), &service);
    Ok(Listener::inherit(&endpoint)?)
}

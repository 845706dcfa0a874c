//! The command line.

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};
use container_client::services;
use container_config::{Roots, logging};
use container_ipc::{Endpoint, Listener, ensure_private_dir, runtime_dir, serve};
use container_network_bridge::Settings;
use container_network_vmnet::{Error, Interfaces, Service, Shared, Vmnet, refusal, router};
use container_resource::NetworkMode;
use tokio::signal::unix::{SignalKind, signal};
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

#[derive(Args)]
struct Start {
    /// The network's name
    #[arg(long)]
    id: String,
    /// Where it leads
    #[arg(long, value_enum, default_value_t = Mode::Nat)]
    mode: Mode,
    /// IPv4 subnet, such as 192.168.64.0/24
    #[arg(long)]
    subnet: String,
    /// IPv6 subnet of at most 64 bits, such as fd00:1:2:3::/64
    #[arg(long)]
    subnet_v6: String,
    /// The domain under which containers are known too
    #[arg(long)]
    domain: Option<String>,
    /// Log debug messages
    #[arg(long)]
    debug: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    #[value(name = "nat")]
    Nat,
    #[value(name = "hostOnly")]
    HostOnly,
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
    let service = services::network(services::NETWORK_PROGRAM, &start.id);
    let listener = Listener::bind(&Endpoint::new(&runtime_dir(&roots.app), &service))?;
    let mode = match start.mode {
        Mode::Nat => NetworkMode::Nat,
        Mode::HostOnly => NetworkMode::HostOnly,
    };
    let domain = start.domain.as_deref();
    let mut settings = Settings::new(
        &start.id,
        mode,
        &start.subnet,
        &start.subnet_v6,
        domain,
        &roots.app,
    )?;
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
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let end = {
        let stop = stop.clone();
        async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                () = stop.cancelled() => {}
            }
            stop.cancel();
        }
    };
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

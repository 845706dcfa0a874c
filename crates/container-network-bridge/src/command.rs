//! The command line.

use std::os::fd::{FromRawFd, OwnedFd};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};
use container_client::services;
use container_config::{Roots, logging};
use container_ipc::{Endpoint, Listener, ensure_private_dir, runtime_dir, serve};
use container_network_bridge::holder::{self, Hold, Join};
use container_network_bridge::{Network, Service, Settings, router};
use container_resource::NetworkMode;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The descriptor of the listening socket that the API server hands down, as systemd and launchd number it.
const LISTENER_FD: i32 = 3;
/// The name under which the API server hands it down.
const LISTENER_VARIABLE: &str = "CONTAINER_LISTEN_FDS";

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
    let listener = listener(&start, &roots)?;
    let mode = match start.mode {
        Mode::Nat => NetworkMode::Nat,
        Mode::HostOnly => NetworkMode::HostOnly,
    };
    let settings = Settings::new(
        &start.id,
        mode,
        &start.subnet,
        &start.subnet_v6,
        start.domain.as_deref(),
        &roots.app,
    )?;
    let stop = CancellationToken::new();
    let service = Service::new(Network::new(settings), stop.clone());
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
    let routes = router(&service);
    tokio::join!(serve(listener, routes, stop), service.run(), end);
    // Whoever made it may be gone already, when the whole system stops.
    let _ = std::fs::remove_file(endpoint(&start, &roots).socket_path());
    Ok(())
}

/// The socket that the API server made, so that it can speak before this process listens; else one of our own.
fn listener(start: &Start, roots: &Roots) -> anyhow::Result<Listener> {
    if std::env::var(LISTENER_VARIABLE).as_deref() == Ok("1") {
        // SAFETY: the variable says that whoever started this process left an open descriptor of this number to it,
        // and nothing else in this process has used it yet.
        let socket = unsafe { OwnedFd::from_raw_fd(LISTENER_FD) };
        return Ok(Listener::from_fd(socket)?);
    }
    Ok(Listener::bind(&endpoint(start, roots))?)
}

/// Where this process listens.
fn endpoint(start: &Start, roots: &Roots) -> Endpoint {
    let service = services::network(services::NETWORK_PROGRAM, &start.id);
    Endpoint::new(&runtime_dir(&roots.app), &service)
}

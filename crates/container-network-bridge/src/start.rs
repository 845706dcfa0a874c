//! How the helper of a network is started and ended, on every platform.

use std::io;
use std::path::Path;

use clap::{Args, ValueEnum};
use container_client::services;
use container_ipc::{Endpoint, runtime_dir};
use container_resource::NetworkMode;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::settings::Settings;

/// The options of `start` (behaviour reference, 15.1).
#[derive(Debug, Args)]
pub struct Start {
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
    pub debug: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Mode {
    #[value(name = "nat")]
    Nat,
    #[value(name = "hostOnly")]
    HostOnly,
}

impl Start {
    /// What the network of the installation at `app_root` is asked to be.
    ///
    /// # Errors
    /// A subnet is none, or too small.
    pub fn settings(&self, app_root: &Path) -> Result<Settings, Error> {
        let mode = match self.mode {
            Mode::Nat => NetworkMode::Nat,
            Mode::HostOnly => NetworkMode::HostOnly,
        };
        let domain = self.domain.as_deref();
        Settings::new(&self.id, mode, &self.subnet, &self.subnet_v6, domain, app_root)
    }

    /// Where the helper listens.
    pub fn endpoint(&self, app_root: &Path) -> Endpoint {
        let service = services::network(services::NETWORK_PROGRAM, &self.id);
        Endpoint::new(&runtime_dir(app_root), &service)
    }
}

/// Has signals that end a process cancel `stop` from now on. What is returned resolves when that is cancelled, by
/// whomever.
///
/// # Errors
/// Signals cannot be received.
pub fn stop_on_signal(stop: CancellationToken) -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = stop.cancelled() => {}
        }
        stop.cancel();
    })
}

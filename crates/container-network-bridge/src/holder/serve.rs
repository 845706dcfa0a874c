//! The holder's process.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use container_client::network::MAX_SOCKETS;
use container_ipc::{Endpoint, Error, Listener, Reply, Request, Router, serve};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::lifetime::Connections;
use super::namespace::{self, Join};
use super::order::{Obey, Order, Report};
use super::{bridge, sockets, tap};
use crate::nft;

/// How a holder is started.
#[derive(Debug)]
pub struct Hold {
    /// Where it listens.
    pub endpoint: Endpoint,
    /// Namespaces that are there already.
    pub join: Option<Join>,
    /// How long it lives without a helper and without a virtual machine.
    pub patience: Duration,
}

/// Runs the holder until nobody needs it. Standard output gets one line, `ready` or what went wrong, and is closed.
///
/// The calling process must have one thread.
///
/// # Errors
/// Standard output or signals cannot be used. That the namespaces cannot be made is not one: the starter reports it.
pub fn hold(options: Hold) -> anyhow::Result<ExitCode> {
    // Its starter's end, and signals to its starter's group, are not for this process.
    let _ = rustix::process::setsid();
    let started = namespace::enter(options.join.as_ref())
        .map_err(anyhow::Error::msg)
        .and_then(|()| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let listener = {
                let _context = runtime.enter();
                Listener::bind(&options.endpoint)?
            };
            Ok((runtime, listener))
        });
    let (runtime, listener) = match started {
        Ok(started) => started,
        Err(error) => {
            announce(&format!("{error:#}"))?;
            return Ok(ExitCode::FAILURE);
        }
    };
    announce("ready")?;
    runtime.block_on(run(listener, options))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the line that the starter waits for, and gives standard output up.
fn announce(line: &str) -> anyhow::Result<()> {
    // A starter that is gone does not read it.
    let _ = writeln!(io::stdout(), "{line}");
    let nowhere = std::fs::OpenOptions::new().write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdout(nowhere).context("failed to close standard output")
}

async fn run(listener: Listener, options: Hold) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let connections = Connections::new();
    let kept = Kept::default();
    let router = {
        let (stop, kept, connections) = (stop.clone(), kept.clone(), connections.clone());
        Router::new().route::<Obey, _, _>(move |request| {
            connections.count(&request.session);
            let (stop, kept) = (stop.clone(), kept.clone());
            async move { obey(request, &kept, &stop) }
        })
    };
    tokio::spawn(connections.watch(options.endpoint.socket_path(), options.patience, stop.clone()));
    let end = stop.clone();
    tokio::spawn(async move {
        terminate.recv().await;
        end.cancel();
    });
    serve(listener, router, stop).await;
    kept.kill();
    Ok(())
}

fn obey(request: Request<Order>, kept: &Kept, stop: &CancellationToken) -> Result<Reply<Report>, Error> {
    let failed =
        |what: &'static str| move |error: io::Error| Error::internal(format!("failed to {what}: {error}"));
    let mut fds = Vec::new();
    let mut report = Report::default();
    match request.payload {
        Order::Namespaces => {
            report.process = std::process::id();
            fds = namespace::descriptors().map_err(failed("open the network's namespace"))?;
        }
        Order::Bridge { mac, addresses } => {
            bridge::ensure_bridge(mac, &addresses).map_err(failed("make the network's bridge"))?;
        }
        Order::Interfaces => {
            report.names = container_netlink::link_names().map_err(failed("list interfaces"))?;
        }
        Order::Tap { name, mtu, addresses } => {
            fds.push(tap::make(&name, mtu, &addresses).map_err(Error::internal)?);
        }
        Order::RemoveTap { name, addresses } => {
            tap::remove(&name, &addresses).map_err(failed("remove a tap device"))?;
        }
        Order::Uplink {
            mtu,
            addresses,
            routers,
        } => {
            bridge::ensure_uplink(mtu, &addresses, &routers)
                .map_err(failed("bring the network's uplink up"))?;
        }
        Order::Rules(text) => nft::load(&text).map_err(Error::internal)?,
        Order::Sockets { kind, count } => {
            let sockets = (0..count.min(MAX_SOCKETS)).map(|_| sockets::make(kind));
            fds = sockets
                .collect::<io::Result<_>>()
                .map_err(failed("make sockets"))?;
        }
        Order::NameServer { addresses, port } => {
            for address in addresses
                .into_iter()
                .filter(|&address| bridge::is_usable(address))
            {
                let pair = sockets::name_server(address, port).map_err(|error| {
                    Error::internal(format!(
                        "failed to listen on {address}, port {port}, for DNS: {error}"
                    ))
                })?;
                fds.extend(pair);
            }
        }
        Order::Keep => kept.set(request.fds.into_iter().next()),
        Order::Kept => fds.extend(kept.running()),
        Order::End => stop.cancel(),
    }
    Ok(Reply { value: report, fds })
}

/// A process that ends with this one.
#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<Option<OwnedFd>>>);

impl Kept {
    fn set(&self, process: Option<OwnedFd>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = process;
    }

    /// A descriptor of the process, if it has not ended.
    fn running(&self) -> Option<OwnedFd> {
        let process = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let process = process.as_ref()?;
        let mut fds = [PollFd::new(process, PollFlags::IN)];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        match rustix::event::poll(&mut fds, Some(&now)) {
            Ok(0) => process.try_clone().ok(),
            _ => None,
        }
    }

    fn kill(&self) {
        if let Some(process) = self.running() {
            // That it has just ended is fine.
            let _ = rustix::process::pidfd_send_signal(&process, Signal::KILL);
        }
    }
}

//! The agent: process 1, which does what its host asks for.

use std::convert::Infallible;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Instant;

use container_sandbox::server::SandboxContextServer;
use container_sandbox::{AGENT_PORT, MAX_MESSAGE_SIZE};
use futures_util::stream;
use tokio::sync::oneshot;
use tonic::transport::Server;

use crate::launcher::Launcher;
use crate::log::log;
use crate::process::Reaper;
use crate::service::Service;
use crate::transport::Transport;
use crate::{boot, netlink};

/// Runs the agent until the host is gone. `link` is a descriptor of a stream to the host that stands in for
/// its device, for an agent that is not in a virtual machine.
///
/// # Errors
/// No way to the host, or one that ended.
pub fn run(link: Option<RawFd>) -> io::Result<Infallible> {
    let started = Instant::now();
    boot::begin();
    // Before anything has made a second thread.
    let launcher = Launcher::fork()?;
    let helper = launcher.pid();
    let (complete, completed) = oneshot::channel();
    std::thread::Builder::new().name("boot".into()).spawn(move || {
        boot::complete();
        log!("booted in {} ms", started.elapsed().as_millis());
        let _ = complete.send(());
        boot::contain(helper, started);
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve(link, launcher, completed, started))
}

async fn serve(
    link: Option<RawFd>,
    launcher: Launcher,
    booted: oneshot::Receiver<()>,
    started: Instant,
) -> io::Result<Infallible> {
    let reaper = Reaper::start()?;
    let transport = match link {
        // SAFETY: whoever started the agent gave it this descriptor, and it is used nowhere else.
        Some(fd) => over(unsafe { OwnedFd::from_raw_fd(fd) })?,
        None => Transport::find().await?,
    };
    let listener = transport.listen(AGENT_PORT)?;
    if let Err(error) = netlink::set_link("lo", true, None) {
        log!("cannot bring lo up: {error}");
    }
    let server = SandboxContextServer::new(Service::new(transport.clone(), reaper, Arc::new(launcher)))
        .max_decoding_message_size(MAX_MESSAGE_SIZE)
        .max_encoding_message_size(MAX_MESSAGE_SIZE);
    booted.await.map_err(io::Error::other)?;
    log!("serving after {} ms", started.elapsed().as_millis());
    let connections = stream::unfold(listener, async |mut listener| {
        let stream = listener.accept().await;
        stream.is_ok().then_some((stream, listener))
    });
    let builder = Server::builder();
    tokio::select! {
        result = builder.serve_with_incoming(server, Box::pin(connections)) => match result {
            Ok(()) => Err(io::Error::other("the host cannot be listened to any more")),
            Err(error) => Err(io::Error::other(error)),
        },
        reason = transport.closed() => Err(io::Error::other(reason)),
    }
}

fn over(fd: OwnedFd) -> io::Result<Transport> {
    let stream = UnixStream::from(fd);
    stream.set_nonblocking(true)?;
    Ok(Transport::over(tokio::net::UnixStream::from_std(stream)?))
}

/// Turns the virtual machine off. Without a host there is nothing left to do, and a first process that
/// simply ends would be a kernel panic.
pub fn power_off() {
    rustix::fs::sync();
    if rustix::process::getpid().is_init() {
        let _ = rustix::system::reboot(rustix::system::RebootCommand::PowerOff);
    }
}

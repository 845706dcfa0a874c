//! The launcher: turns a fresh process into a container's (behaviour.md 29.4).
//!
//! The launcher is a process of one thread that waits for the agent's requests ([`server`]). It clones itself straight
//! into the container's control group and namespaces; the clone does the rest, alone, and becomes the container's
//! program. What it finds out on the way it tells the agent over [`Control`].

mod capabilities;
mod control;
mod error;
mod linux;
mod mounts;
mod program;
mod request;
mod run;
mod server;
mod socket;
pub mod syscalls;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

pub use control::Control;
pub(crate) use control::{Failure, Report};
pub use error::Error;
pub use linux::Linux;
pub(crate) use linux::{mount, mount_below};
pub(crate) use request::{Child, Request, What};
pub(crate) use run::sysctl_path;
pub use run::{exec, run};
use serde::de::DeserializeOwned;
pub(crate) use server::Launcher;
pub use server::main;

/// `PATH` of a process that has none (behaviour.md 30.6).
pub(crate) const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Becomes what a request asks for. Returns only to say why not.
fn become_process(what: &What, container: Option<&OwnedFd>, control: &Control) -> Result<Infallible, Error> {
    match (what, container) {
        (What::Run { bundle, .. }, _) => run(&Linux, &read(&bundle.join("config.json"))?, control),
        (What::Exec { process }, Some(container)) => {
            exec(&Linux, &read(process)?, container.as_fd(), control)
        }
        (What::Exec { .. }, None) => Err(Error::Configuration("no container to enter".into())),
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let step = |source| Error::Step {
        what: format!("read {}", path.display()),
        source,
    };
    let bytes = fs::read(path).map_err(step)?;
    serde_json::from_slice(&bytes).map_err(|error| step(error.into()))
}

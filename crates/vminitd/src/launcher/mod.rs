//! The launcher: turns a fresh process into a container's (behaviour.md 29.4).
//!
//! The agent clones itself into the container's control group and namespaces, and the clone runs the agent's
//! own binary again as `vmexec run` or `vmexec exec`. That process, alone and with one thread, does the rest
//! and becomes the container's program, so that a process costs one fork and two execs. What it finds out on
//! the way it tells the agent over [`Control`].

mod capabilities;
mod control;
mod error;
mod linux;
mod mounts;
mod program;
mod run;
pub mod syscalls;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::fs;
use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

pub use control::Control;
pub(crate) use control::{Failure, Report};
pub use error::Error;
pub use linux::Linux;
pub(crate) use linux::{mount, mount_below};
pub(crate) use run::sysctl_path;
pub use run::{exec, run};
use serde::de::DeserializeOwned;

/// Descriptor of the launcher that is its [`Control`].
pub(crate) const CONTROL_FD: RawFd = 3;

/// Descriptor of the launcher that is a pidfd of the container's first process, for `vmexec exec`.
pub(crate) const CONTAINER_FD: RawFd = 4;

/// `PATH` of a process that has none (behaviour.md 30.6).
pub(crate) const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs the launcher: `run --bundle-path DIRECTORY` or `exec --process-path FILE`. Returns the exit status of
/// a launcher that failed, after it has told the agent why.
pub fn main(args: &[String]) -> i32 {
    // SAFETY: the agent started this process with its end of the control socket as this descriptor, and
    // nothing else here uses it.
    let control = Control::from_fd(unsafe { OwnedFd::from_raw_fd(CONTROL_FD) });
    let Err(error) = launch(args, &control);
    // Without the agent there is nobody to tell.
    let _ = control.failed(&error);
    127
}

fn launch(args: &[String], control: &Control) -> Result<Infallible, Error> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["run", "--bundle-path", bundle] => {
            run(&Linux, &read(&Path::new(bundle).join("config.json"))?, control)
        }
        ["exec", "--process-path", path] => {
            // SAFETY: as above.
            let container = unsafe { OwnedFd::from_raw_fd(CONTAINER_FD) };
            exec(&Linux, &read(Path::new(path))?, container.as_fd(), control)
        }
        _ => Err(Error::Configuration(
            "usage: vmexec run --bundle-path DIRECTORY | exec --process-path FILE".into(),
        )),
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

//! What can go wrong in a runtime helper.

use std::io;

use container_ipc::ErrorCode;
use container_resource::{ExitStatus, time};

/// Failures of the helper itself; those of the guest agent and of other services arrive as [`container_ipc::Error`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The runtime specification could not be put together.
    #[error("failed to build the runtime specification: {0}")]
    Spec(#[from] oci_spec::OciSpecError),
    /// A resource limit that Linux does not have.
    #[error("unsupported resource limit {0}")]
    Rlimit(String),
    /// A mount that this version cannot make.
    #[error("mount at {0}: this version does not have it yet")]
    UnsupportedMount(String),
    /// The bundle cannot be read or written.
    #[error("failed to use the bundle: {0}")]
    Bundle(#[source] io::Error),
    /// The scratch disk could not be made.
    #[error("failed to create the scratch disk: {0}")]
    ScratchDisk(String),
    /// A published socket could not be made on the host.
    #[error("failed to publish a socket at {0}: {1}")]
    Socket(String, #[source] io::Error),
    /// The virtual machine failed.
    #[error("{}", chain(.0))]
    Machine(#[from] container_hypervisor::Error),
}

impl From<Error> for container_ipc::Error {
    fn from(error: Error) -> Self {
        let code = match error {
            Error::Rlimit(_) => ErrorCode::InvalidArgument,
            Error::UnsupportedMount(_) => ErrorCode::Unsupported,
            _ => ErrorCode::InternalError,
        };
        Self::new(code, error.to_string())
    }
}

/// An error with everything that led to it, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The exit code of a process whose end nobody saw: the virtual machine was lost or powered off.
pub(crate) const LOST: i32 = 255;

/// An exit now with `exit_code`.
pub(crate) fn exit(exit_code: i32) -> ExitStatus {
    ExitStatus {
        exit_code,
        exited_at: time::now(),
    }
}

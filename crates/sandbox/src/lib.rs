//! The `SandboxContext` gRPC service, over which a runtime helper on the host
//! directs the agent in its virtual machine (behaviour.md 29.2 and 29.3).
//!
//! [`Agent`] is the host's side: a client that speaks over any byte stream, be
//! it a vsock connection or one stream of a multiplexed serial port. The
//! agent implements [`server::SandboxContext`].

mod agent;
mod status;

pub use agent::{Agent, CopyProgress};
pub use status::error_from_status;

/// The port, vsock or multiplexed, on which the agent serves.
pub const AGENT_PORT: u32 = 1024;

/// The annotation of an OCI runtime specification that has names of further
/// groups of its process, separated by commas. An addition to Apple's service.
pub const GROUPS_ANNOTATION: &str = "dev.container.groups";

/// Largest message that either side accepts, in bytes: a `WriteFile` carries
/// its whole file, and a `CreateProcess` a whole runtime specification.
pub const MAX_MESSAGE_SIZE: usize = 64 << 20;

/// Messages, generated from `proto/sandbox_context.proto`.
// What the generator adds of its own (the modules of nested types, the
// variants of a oneof) comes without documentation.
#[allow(missing_docs)]
pub mod proto {
    tonic::include_proto!("com.apple.containerization.sandbox.v3");
}

pub use proto::sandbox_context_client as client;
pub use proto::sandbox_context_server as server;

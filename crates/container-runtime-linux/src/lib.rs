//! The helper that owns one container's virtual machine.
//!
//! It boots the machine from the container's bundle, sets the guest up through the agent, runs the container's
//! processes and moves their standard streams, and ends with the container. It needs nobody to stay alive: an API
//! server that dies is replaced by another one, which adopts this helper.

mod announce;
mod changes;
mod error;
mod files;
mod guest;
mod health;
mod machine;
mod network;
mod process;
mod publish;
mod relay;
mod rosetta;
mod routes;
mod service;
mod shares;
mod signal;
mod sockets;
mod spec;
mod state;
mod statistics;
mod stop;
#[cfg(test)]
mod testing;
mod transfer;
mod volumes;

pub use error::Error;
pub use routes::router;
pub use service::Runtime;

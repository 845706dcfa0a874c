//! Pulling images from registries and pushing them there (OCI distribution specification; behaviour reference, 19.4 to
//! 19.6), and the logins for that (20).
//!
//! Blobs are resumed where a connection broke, hashed while they stream to disk, and shared by pulls that run at the
//! same time. Credentials are looked for only when a registry asks for them, and shown to nobody else.

mod blob;
pub(crate) mod challenge;
mod connection;
mod docker_config;
mod environment;
mod error;
mod helper;
mod identity;
mod login;
mod manifest;
mod mirror;
mod pull;
mod push;
mod secrets;
mod token;
mod upload;

pub use environment::{Credentials, Registries};
pub use error::RegistryError;
pub use mirror::Mirror;
pub use secrets::{Secrets, UserSecrets};

pub(crate) use connection::{Access, Connection};
pub(crate) use mirror::Sources;
pub(crate) use pull::{Pull, pull};
pub(crate) use push::{Push, push};

//! Pulling images from registries (OCI distribution specification; behaviour reference, 19.4 and 19.5).
//!
//! `oci-client` answers authentication challenges and gets tokens. Manifests and blobs are fetched here, because blobs
//! are resumed where a connection broke, hashed while they stream to disk, and shared by pulls that run at the same
//! time.

mod blob;
mod connection;
mod environment;
mod error;
mod manifest;
mod pull;

pub use environment::{Credentials, Registries};
pub use error::RegistryError;

pub(crate) use connection::Connection;
pub(crate) use pull::{Pull, pull};

//! Pulling images from registries and pushing them there (OCI distribution specification; behaviour reference, 19.4 to 19.6).
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
mod push;
mod upload;

pub use environment::{Credentials, Registries};
pub use error::RegistryError;

pub(crate) use connection::{Access, Connection};
pub(crate) use pull::{Pull, pull};
pub(crate) use push::{Push, push};

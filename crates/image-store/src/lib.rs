//! Images on this host: content store, references, archives, registry client and disks.
//!
//! [`ImageStore`] is the whole of it, as the image service uses it. Below an application root it keeps
//!
//! ```text
//! content/blobs/sha256/<hex>          what images are made of, named by its digest
//! content/ingest/<session>/           blobs that are still being taken in
//! content/partial/<hex>               blobs that are still being fetched, or of which only the beginning came
//! state.json                          { "<reference>": <descriptor of an image index> }
//! snapshots/<chain id hex>/           disk.erofs and info.json: an image's file system, ready to boot
//! ```
//!
//! Nothing becomes visible under its final name before it is complete, verified and on disk, so that a crash at any
//! moment leaves nothing but files in the two `ingest` directories and beside `state.json`, which the next start removes.

mod archive;
mod arrival;
mod blob;
mod commit;
mod content;
mod digest;
mod durable;
mod error;
mod export;
mod flight;
#[doc(hidden)]
pub mod fuzzing;
mod gc;
mod graph;
mod partial;
mod registry;
mod snapshot;
mod state;
mod store;
mod unpack;
mod usage;

pub use archive::Loaded;
pub use error::Error;
pub use gc::Collected;
pub use registry::{Credentials, Mirror, Registries, RegistryError, Secrets, UserSecrets};
pub use snapshot::Snapshot;
pub use store::{ImageStore, PullRequest};
pub use usage::DiskUsage;

/// This crate's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExample;

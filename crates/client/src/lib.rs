//! Routes, payloads and typed clients of the services.
//!
//! One module per service, with the same three parts in each: the routes, their payloads, and a client whose methods
//! wrap errors with the texts that users see (behaviour reference, 27.9).

pub mod api;
pub mod bundle;
pub mod images;
pub mod network;
pub mod phases;
pub mod resolver;
pub mod runtime;
pub mod services;
pub mod stdio;
pub mod stdio_log;

pub use api::ApiClient;
pub use bundle::{Bundle, BundleConfiguration};
pub use images::ImagesClient;
pub use network::NetworkClient;
pub use runtime::RuntimeClient;
pub use stdio::Stdio;

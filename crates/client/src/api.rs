//! The API server: containers, kernels, and what the installation looks like (behaviour reference, 27.3).

mod client;
mod files;
mod networks;
mod routes;
mod volumes;

pub use client::ApiClient;
pub use networks::*;
pub use routes::*;
pub use volumes::*;

//! The runtime helper of one container (behaviour reference, 27.5).

mod client;
mod routes;

pub use client::RuntimeClient;
pub use routes::*;

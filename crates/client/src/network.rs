//! The helper of one network (behaviour reference, 27.6).

mod client;
mod routes;

pub use client::{NetworkClient, Lease};
pub use routes::*;

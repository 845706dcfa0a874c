//! The per-user daemon that owns containers and their helpers.
//!
//! It stores containers, starts one runtime helper for each that runs, and answers the command line. A helper lives as
//! long as its container, not as long as this process: the next server takes it over. Nothing a helper or a guest does,
//! or fails to do, keeps the server from answering about everything else.

mod allocated;
mod containers;
mod copy;
mod host_names;
mod image_service;
mod jobs;
mod kernels;
mod networks;
mod routes;
mod server;
mod volumes;
mod whole;
mod work;

pub use server::Server;

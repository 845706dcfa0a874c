//! The server as a process, with stand-ins for its helpers: what it does when clients, helpers, or it itself disappear.

mod adoption;
mod creation;
mod faults;
mod harness;
mod kernels;
mod life;
mod networks;

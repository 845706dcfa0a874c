//! Virtual machines that really run.
#![cfg(target_os = "linux")]

mod bench;
mod boot;
mod faults;
mod wire;

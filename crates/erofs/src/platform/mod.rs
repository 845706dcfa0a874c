//! What differs between operating systems.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;

#[cfg(target_os = "linux")]
pub(crate) use linux::punch_hole;
#[cfg(target_os = "macos")]
pub(crate) use macos::punch_hole;

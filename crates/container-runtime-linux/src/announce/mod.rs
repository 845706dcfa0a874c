//! Announcements to the guest of what is changed on the host in directories and files that it shares (behaviour
//! reference, 28.4): programs in the container that watch them are told.
//!
//! The guest's kernel tells watchers what it does itself. So the agent does there once more what was done here, which the
//! server of the shares answers without doing anything.

#[cfg(not(target_os = "macos"))]
mod linux;
#[cfg(target_os = "macos")]
mod macos;

#[cfg(not(target_os = "macos"))]
use linux as platform;
#[cfg(target_os = "macos")]
use macos as platform;

#[cfg(not(target_os = "macos"))]
pub(crate) use linux::Shared;
pub(crate) use platform::keep_announcing;

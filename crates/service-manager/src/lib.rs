//! Starting, finding and stopping the service processes of one installation.
//!
//! A [`Job`] is a process that outlives whoever starts it. The [`ServiceManager`] of a runtime directory
//! starts jobs, writes down which process each of them is, and finds, awaits and stops them again, from any
//! process of the same user. What is written down names the process by number and start time, so that a
//! process which merely got the same number later is never mistaken for the job.
//!
//! How a job is started is a [`Launcher`]: [`Detached`] processes, or, for the service that everything else
//! hangs on, a unit of the user's systemd (`systemd::UserManager`, Linux). On macOS every service is a job of launchd
//! (`launchd::Launchd`), which alone can give it a mach service.

mod detached;
mod environment;
mod error;
mod job;
#[cfg(any(target_os = "macos", test))]
pub mod launchd;
mod launcher;
#[cfg(target_os = "linux")]
mod linux;
mod locate;
#[cfg(target_os = "macos")]
mod macos;
mod manager;
mod private_file;
mod record;
#[cfg(target_os = "linux")]
pub mod systemd;

pub use container_ipc::unix::{LISTENER_FD, LISTENER_VARIABLE};
pub use detached::{Activated, Detached};
pub use environment::inherited_environment;
pub use error::Error;
pub use job::Job;
pub use launcher::Launcher;
#[cfg(target_os = "linux")]
use linux as platform;
pub use locate::locate_program;
#[cfg(target_os = "macos")]
use macos as platform;
pub use manager::ServiceManager;

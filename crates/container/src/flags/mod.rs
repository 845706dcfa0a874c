//! Option groups that several commands share, grouped as the help groups them.

pub mod dns;
pub mod health;
pub mod image_fetch;
pub mod logging;
pub mod management;
pub mod passthrough;
pub mod process;
pub mod progress;
pub mod registry;
pub mod resource;
pub mod stop;
pub mod values;

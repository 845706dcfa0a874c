//! Roots, configuration file and logging set-up shared by every process (behaviour reference, section 7).

pub mod logging;
pub mod roots;
pub mod schema;

mod layers;
mod snapshot;

pub use layers::{Error, load};
pub use roots::Roots;
pub use schema::SystemConfiguration;
pub use snapshot::publish_user_file;

/// Environment variable: the application root (data).
pub const APP_ROOT_VARIABLE: &str = "CONTAINER_APP_ROOT";
/// Environment variable: the install root (programs).
pub const INSTALL_ROOT_VARIABLE: &str = "CONTAINER_INSTALL_ROOT";
/// Environment variable: the log root.
pub const LOG_ROOT_VARIABLE: &str = "CONTAINER_LOG_ROOT";
/// Environment variable: its presence turns on debug logging in services.
pub const DEBUG_VARIABLE: &str = "CONTAINER_DEBUG";

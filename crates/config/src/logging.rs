//! Logging of the service processes: one line per event on standard error, which the service manager appends to the
//! service's log file. On macOS the unified log has the events, unless a log root was chosen (behaviour.md 7.3).

#[cfg(not(target_os = "macos"))]
#[path = "logging/linux.rs"]
mod platform;
#[cfg(target_os = "macos")]
#[path = "logging/macos.rs"]
mod platform;

use tracing_subscriber::EnvFilter;

use crate::DEBUG_VARIABLE;

/// What events in the unified log of macOS belong to.
pub const SUBSYSTEM: &str = "dev.container";

/// Sets up logging for a service. `debug` (or the presence of `CONTAINER_DEBUG`) shows debug events too.
pub fn init(debug: bool) {
    let level = if debug || std::env::var_os(DEBUG_VARIABLE).is_some() {
        "debug"
    } else {
        "info"
    };
    // The libraries below are chatty and never what a user looks for.
    let filter = EnvFilter::new(format!(
        "{level},hyper=warn,h2=warn,tower=warn,reqwest=warn,rustls=warn"
    ));
    platform::init(filter);
}

fn to_standard_error(filter: EnvFilter) {
    // An error means that a subscriber is set already, as in tests: that one is then used.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .try_init();
}

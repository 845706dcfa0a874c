//! Events go to the unified log, unless files were asked for.

#[path = "unified.rs"]
mod unified;

use std::path::Path;

use tracing_subscriber::EnvFilter;

use super::SUBSYSTEM;
use crate::LOG_ROOT_VARIABLE;
use unified::UnifiedLog;

pub(super) fn init(filter: EnvFilter) {
    let program = std::env::current_exe().unwrap_or_default();
    let program = program.file_name().unwrap_or(Path::new("container").as_os_str());
    let log = std::env::var_os(LOG_ROOT_VARIABLE)
        .is_none()
        .then(|| UnifiedLog::open(SUBSYSTEM, &program.to_string_lossy()))
        .flatten();
    let Some(log) = log else {
        return super::to_standard_error(filter);
    };
    // Time, level and program are the log's own.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(log)
        .with_ansi(false)
        .with_target(false)
        .with_level(false)
        .without_time()
        .try_init();
}

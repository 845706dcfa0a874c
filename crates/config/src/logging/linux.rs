//! Events go to standard error, which is the service's log file.

pub(super) use super::to_standard_error as init;

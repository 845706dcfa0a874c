//! Domains in the resolver of Linux.

use crate::error::{Failure, Outcome};

pub(super) fn create(_domain: &str, _localhost: Option<&str>) -> Outcome {
    Err(Failure::absent("system dns create"))
}

pub(super) fn delete(_domain: &str) -> Outcome {
    Err(Failure::absent("system dns delete"))
}

pub(super) fn list() -> Result<Vec<String>, Failure> {
    Err(Failure::absent("system dns list"))
}

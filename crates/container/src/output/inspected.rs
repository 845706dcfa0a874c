//! What `inspect` commands print.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{json, print_line};
use crate::error::{Failure, Outcome};

/// Prints `found` as JSON, unless one of the `wanted` names is missing among their ids. `kind` is what they are.
pub(crate) fn print<T: Serialize>(
    kind: &str,
    wanted: &BTreeSet<String>,
    found: &[T],
    id: impl Fn(&T) -> &str,
) -> Outcome {
    let missing: Vec<&str> = wanted
        .iter()
        .map(String::as_str)
        .filter(|name| !found.iter().any(|one| id(one) == *name))
        .collect();
    if !missing.is_empty() {
        return Err(Failure::error(format!(
            "{kind} not found: {}",
            missing.join(", ")
        )));
    }
    print_line(&json::pretty(&found));
    Ok(0)
}

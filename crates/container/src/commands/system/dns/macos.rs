//! Domains in the resolver of macOS.

use super::host::Host;
use crate::error::{Failure, Outcome};
use crate::output;

pub(super) fn create(domain: &str, localhost: Option<&str>) -> Outcome {
    let host = Host::default();
    host.create(domain, localhost)?;
    output::print_line(domain);
    host.reload()?;
    Ok(0)
}

pub(super) fn delete(domain: &str) -> Outcome {
    let host = Host::default();
    host.delete(domain)?;
    output::print_line(domain);
    host.reload()?;
    Ok(0)
}

pub(super) fn list() -> Result<Vec<String>, Failure> {
    Ok(Host::default().domains())
}

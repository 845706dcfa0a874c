//! The resolvers of Linux have no files that would send questions here, which `container system dns create` says.

use tokio_util::sync::CancellationToken;

use crate::containers::Containers;

/// Does nothing.
pub(crate) fn start(_containers: &Containers, _domain: Option<String>, _stop: &CancellationToken) {}

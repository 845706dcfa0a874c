//! No announcements: macOS itself serves shared directories, and would really do what only is to be announced.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;

use container_sandbox::Agent;

use crate::service::Runtime;

/// Announces nothing.
pub(crate) async fn keep_announcing(_: &Arc<Runtime>, _: &Agent) -> Infallible {
    pending().await
}

//! The seam between the ways to start a job.

use std::future::Future;

use crate::error::Result;
use crate::job::Job;

/// A way to start a job.
pub trait Launcher: Sync {
    /// Starts `job` and gives its process once the program runs. The process must neither die with its
    /// starter nor be left as a zombie.
    fn launch(&self, job: &Job) -> impl Future<Output = Result<i32>> + Send;
}

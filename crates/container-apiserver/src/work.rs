//! Work that is finished even when its caller goes away.

use std::future::Future;
use std::time::Duration;

use container_ipc::Error;
use tokio_util::task::TaskTracker;

/// Tasks of the server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Work(TaskTracker);

impl Work {
    /// Runs `operation` to its end and gives its result. A caller that stops waiting does not stop the operation.
    pub(crate) async fn finish<T: Send + 'static>(
        &self,
        operation: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        match self.0.spawn(operation).await {
            Ok(result) => result,
            Err(error) => Err(Error::internal(format!(
                "the operation failed unexpectedly: {error}"
            ))),
        }
    }

    /// Waits until no operation is under way, but at most `limit`.
    pub(crate) async fn settle(&self, limit: Duration) {
        self.0.close();
        if tokio::time::timeout(limit, self.0.wait()).await.is_err() {
            tracing::warn!(operations = self.0.len(), "operations are cut short");
        }
    }
}

/// Runs `work`, which may block, on a thread made for that.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::internal(format!(
            "the operation failed unexpectedly: {error}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn an_operation_outlives_its_caller() {
        let work = Work::default();
        let (go, wait) = oneshot::channel::<()>();
        let done = Arc::new(AtomicBool::new(false));
        let finished = Arc::clone(&done);
        let call = work.finish(async move {
            let _ = wait.await;
            finished.store(true, Ordering::SeqCst);
            Ok(())
        });
        // Polled once, then given up.
        assert!(
            tokio::time::timeout(Duration::from_millis(1), call)
                .await
                .is_err()
        );
        let _ = go.send(());
        work.settle(Duration::from_secs(10)).await;
        assert!(done.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn a_panic_is_an_error() {
        let result: Result<(), Error> = Work::default().finish(async { panic!("on purpose") }).await;
        assert!(result.is_err());
    }
}

//! One piece of work at a time per key.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::OwnedMutexGuard;

/// Work in flight by key. Whoever enters second waits, and then finds the first one's result.
#[derive(Debug)]
pub(crate) struct Flights<K>(Mutex<HashMap<K, Weak<tokio::sync::Mutex<()>>>>);

impl<K> Default for Flights<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Flights<K> {
    /// Waits until nobody else works on `key`; others then wait until the guard is dropped.
    pub(crate) async fn enter(&self, key: K) -> OwnedMutexGuard<()> {
        self.lock_for(key).lock_owned().await
    }

    fn lock_for(&self, key: K) -> Arc<tokio::sync::Mutex<()>> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        flights.retain(|_, lock| lock.strong_count() > 0);
        if let Some(lock) = flights.get(&key).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::default();
        flights.insert(key, Arc::downgrade(&lock));
        lock
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn one_at_a_time_per_key() {
        let flights: Arc<Flights<u8>> = Arc::default();
        let inside = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let tasks: Vec<_> = (0..64)
            .map(|n| {
                let (flights, inside) = (Arc::clone(&flights), Arc::clone(&inside));
                tokio::spawn(async move {
                    let key = n % 2;
                    let _guard = flights.enter(key as u8).await;
                    assert_eq!(inside[key].fetch_add(1, Ordering::SeqCst), 0);
                    tokio::task::yield_now().await;
                    inside[key].fetch_sub(1, Ordering::SeqCst);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let _ = flights.enter(9).await;
        assert_eq!(
            flights.0.lock().unwrap().len(),
            1,
            "finished flights are forgotten"
        );
    }
}

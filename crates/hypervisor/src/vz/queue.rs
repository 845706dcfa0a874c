//! A serial dispatch queue and the objects that only code on it may touch.

use std::cell::RefCell;
use std::fmt;
use std::mem::ManuallyDrop;
use std::sync::{Arc, Weak};

use dispatch2::{DispatchQueue, DispatchQueueAttr, DispatchRetained};
use objc2::rc::autoreleasepool;

/// A value that is made, used and dropped on a serial queue, whichever threads own this.
///
/// Virtualization.framework asks for exactly that: every call for a virtual machine has to be made on the queue that it
/// was made with, and its callbacks come on that queue, too.
pub(super) struct Confined<T: 'static> {
    queue: DispatchRetained<DispatchQueue>,
    /// Taken out only by `drop`.
    value: ManuallyDrop<Arc<OnQueue<T>>>,
}

/// What the queue's blocks share.
struct OnQueue<T>(RefCell<T>);

// SAFETY: the value is reached through `OnQueue::enter` alone, which only blocks on the queue call; and the last `Arc` is
// dropped in such a block, because `Confined` sends its own there and blocks hold all others. The queue runs one block
// at a time, each after everything that the one before did: so no two threads ever use the value at once.
unsafe impl<T> Send for OnQueue<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for OnQueue<T> {}

impl<T> OnQueue<T> {
    /// Only for blocks on the queue. Objects that the work autoreleases are released when it is done.
    fn enter<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        autoreleasepool(|_| work(&mut self.0.borrow_mut()))
    }
}

impl<T: 'static> Confined<T> {
    /// Makes the value on a new queue. The label must have no NUL character.
    pub(super) fn new<E: Send>(
        label: &str,
        make: impl FnOnce(&DispatchRetained<DispatchQueue>) -> Result<T, E> + Send,
    ) -> Result<Self, E> {
        let queue = DispatchQueue::new(label, DispatchQueueAttr::SERIAL);
        let mut made = None;
        queue.exec_sync(|| {
            let value = autoreleasepool(|_| make(&queue));
            made = Some(value.map(|value| Arc::new(OnQueue(RefCell::new(value)))));
        });
        match made {
            Some(value) => Ok(Self {
                value: ManuallyDrop::new(value?),
                queue,
            }),
            None => unreachable!("a synchronous call returns when its work is done"),
        }
    }

    /// Takes a value that came up on a queue, so that it may leave it.
    ///
    /// # Safety
    /// To be called on the queue, which has to be serial, with a value that nothing outside of it uses.
    pub(super) unsafe fn adopt(queue: DispatchRetained<DispatchQueue>, value: T) -> Self {
        Self {
            queue,
            value: ManuallyDrop::new(Arc::new(OnQueue(RefCell::new(value)))),
        }
    }

    /// Does `work` on the queue and waits for it. Must not be called on the queue, which would wait for itself.
    pub(super) fn with<R: Send>(&self, work: impl FnOnce(&mut T) -> R + Send) -> R {
        let mut result = None;
        self.queue.exec_sync(|| result = Some(self.value.enter(work)));
        match result {
            Some(result) => result,
            None => unreachable!("a synchronous call returns when its work is done"),
        }
    }

    /// Does `work` on the queue, some time soon and in the order of these calls.
    pub(super) fn run(&self, work: impl FnOnce(&mut T) + Send + 'static) {
        run(&self.queue, Arc::clone(&self.value), work);
    }

    /// A reference that does not keep the value alive.
    pub(super) fn downgrade(&self) -> WeakConfined<T> {
        WeakConfined {
            queue: self.queue.clone(),
            value: Arc::downgrade(&self.value),
        }
    }
}

fn run<T: 'static>(
    queue: &DispatchQueue,
    value: Arc<OnQueue<T>>,
    work: impl FnOnce(&mut T) + Send + 'static,
) {
    queue.exec_async(move || {
        value.enter(work);
        autoreleasepool(|_| drop(value));
    });
}

impl<T: 'static> Drop for Confined<T> {
    fn drop(&mut self) {
        // SAFETY: this is the only place that takes the value, and nothing uses it afterwards.
        let value = unsafe { ManuallyDrop::take(&mut self.value) };
        self.queue.exec_async(move || autoreleasepool(|_| drop(value)));
    }
}

impl<T: 'static> fmt::Debug for Confined<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Confined").finish_non_exhaustive()
    }
}

/// See [`Confined::downgrade`].
pub(super) struct WeakConfined<T: 'static> {
    queue: DispatchRetained<DispatchQueue>,
    value: Weak<OnQueue<T>>,
}

impl<T: 'static> WeakConfined<T> {
    /// As [`Confined::run`], unless the value is gone.
    pub(super) fn run(&self, work: impl FnOnce(&mut T) + Send + 'static) {
        if let Some(value) = self.value.upgrade() {
            run(&self.queue, value, work);
        }
    }
}

impl<T: 'static> Clone for WeakConfined<T> {
    fn clone(&self) -> Self {
        Self {
            queue: self.queue.clone(),
            value: Weak::clone(&self.value),
        }
    }
}

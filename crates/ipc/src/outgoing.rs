//! The queue in front of a connection's sending half.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::frame::Frame;
use crate::progress::Waiting;
use crate::transport::{Message, Sender};

/// How many messages wait for a peer that reads slowly before those who send more have to wait themselves.
const SLOTS: usize = 32;

enum Item {
    /// A request or a reply.
    Message {
        message: Message,
        abandoned: Option<Arc<AtomicBool>>,
        slot: OwnedSemaphorePermit,
    },
    /// A message that must not wait: there is at most one per call.
    Urgent(Vec<u8>),
    /// The events of one call.
    Progress(Arc<Waiting>),
    /// Nothing follows.
    End,
}

/// The queue's entrance.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    items: mpsc::UnboundedSender<Item>,
    slots: Arc<Semaphore>,
}

impl std::fmt::Debug for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Item")
    }
}

/// The queue's exit.
#[derive(Debug)]
pub(crate) struct Queue {
    items: mpsc::UnboundedReceiver<Item>,
    slots: Arc<Semaphore>,
}

/// A new queue.
pub(crate) fn queue() -> (Outbox, Queue) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let slots = Arc::new(Semaphore::new(SLOTS));
    (
        Outbox {
            items: sender,
            slots: Arc::clone(&slots),
        },
        Queue {
            items: receiver,
            slots,
        },
    )
}

impl Outbox {
    /// Queues a message, waiting while the queue is full. It is not written if `abandoned` becomes true
    /// before its turn. False when the connection is gone.
    pub(crate) async fn send(&self, message: Message, abandoned: Option<Arc<AtomicBool>>) -> bool {
        let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else {
            return false;
        };
        self.items
            .send(Item::Message {
                message,
                abandoned,
                slot,
            })
            .is_ok()
    }

    /// Queues a small message at once.
    pub(crate) fn urgent(&self, frame: &Frame) {
        if let Ok(bytes) = frame.encode() {
            let _ = self.items.send(Item::Urgent(bytes));
        }
    }

    /// Tells the writer that events are waiting.
    pub(crate) fn progress(&self, waiting: Arc<Waiting>) {
        let _ = self.items.send(Item::Progress(waiting));
    }

    /// Ends the queue: what is in it is still written.
    pub(crate) fn end(&self) {
        let _ = self.items.send(Item::End);
    }
}

impl Queue {
    /// Writes what is queued until the queue ends or the peer is gone.
    pub(crate) async fn write_to(mut self, mut sender: impl Sender) {
        while let Some(item) = self.items.recv().await {
            let result = match item {
                Item::Message {
                    abandoned: Some(flag),
                    ..
                } if flag.load(Ordering::Acquire) => Ok(()),
                Item::Message { message, slot, .. } => {
                    let result = sender.send(message).await;
                    drop(slot);
                    result
                }
                Item::Urgent(body) => {
                    sender
                        .send(Message {
                            body,
                            fds: Vec::new(),
                        })
                        .await
                }
                Item::Progress(waiting) => write_events(&waiting, &mut sender).await,
                Item::End => break,
            };
            if let Err(error) = result {
                tracing::debug!(%error, "the peer is gone");
                break;
            }
        }
    }
}

async fn write_events(waiting: &Waiting, sender: &mut impl Sender) -> std::io::Result<()> {
    for event in waiting.take() {
        if let Ok(body) = (Frame::Progress {
            id: waiting.id(),
            event: Box::new(event),
        })
        .encode()
        {
            sender
                .send(Message {
                    body,
                    fds: Vec::new(),
                })
                .await?;
        }
    }
    Ok(())
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.slots.close();
    }
}

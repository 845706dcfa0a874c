//! The caller's side of calls.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::frame::{Frame, MAX_DESCRIPTORS, MAX_IN_FLIGHT};
use crate::outgoing::{self, Outbox};
use crate::platform;
use crate::progress::ProgressEvent;
use crate::route::{Reply, Route};
use crate::transport::{Connection, Message, ReceiveError, Receiver, Transport};

/// How long connecting may take; it only ever waits for a service with a full backlog.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// What a call has besides its payload.
#[derive(Debug, Default)]
pub struct Call {
    /// Descriptors for the service, at most [`MAX_DESCRIPTORS`]; closed here once they are sent.
    pub fds: Vec<OwnedFd>,
    /// Instead of the route's own deadline; `Some(None)` waits for ever.
    pub deadline: Option<Option<Duration>>,
    /// Where the call's progress goes. Asks the service to report it.
    pub progress: Option<mpsc::UnboundedSender<ProgressEvent>>,
}

/// A connection to a service. Cheap to clone, and many calls may be in flight at once; it is closed when the
/// last clone is dropped. It does not reconnect: once the service is gone every call fails at once.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    service: String,
    outbox: Outbox,
    calls: Arc<Calls>,
    next: AtomicU64,
    /// Calls that the service has not answered; further ones wait.
    free: Semaphore,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.calls.closed.cancel();
    }
}

/// The calls that wait for an answer, shared with the task that receives them.
struct Calls {
    state: Mutex<State>,
    /// The service is gone, or every client is.
    closed: CancellationToken,
}

#[derive(Default)]
struct State {
    waiting: HashMap<u64, Waiting>,
    /// Why the connection ended.
    ended: Option<Error>,
}

struct Waiting {
    answer: oneshot::Sender<Result<Answer, Error>>,
    progress: Option<mpsc::UnboundedSender<ProgressEvent>>,
}

struct Answer {
    payload: Box<RawValue>,
    fds: Vec<OwnedFd>,
}

impl Client {
    /// Connects to the service at `endpoint`. Fails with
    /// `interrupted: "XPC connection error: Connection invalid"` when none is there (behaviour.md 2.4).
    pub async fn connect(endpoint: &Endpoint) -> Result<Self, Error> {
        Self::connect_with::<platform::Transport>(endpoint).await
    }

    /// [`connect`](Self::connect) over any transport.
    pub async fn connect_with<T: Transport>(endpoint: &Endpoint) -> Result<Self, Error> {
        match tokio::time::timeout(CONNECT_DEADLINE, T::connect(endpoint)).await {
            Ok(Ok(connection)) => Ok(Self::over(connection, endpoint.service())),
            Ok(Err(error)) => {
                tracing::debug!(service = endpoint.service(), %error, "failed to connect");
                Err(connection_error("Connection invalid"))
            }
            Err(_) => Err(Error::internal(format!(
                "XPC timeout for request to {}/connect",
                endpoint.service()
            ))),
        }
    }

    /// A client that talks to `service` over an existing connection.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn over(connection: impl Connection, service: &str) -> Self {
        let (sender, receiver) = connection.split();
        let (outbox, queue) = outgoing::queue();
        let calls = Arc::new(Calls {
            state: Mutex::default(),
            closed: CancellationToken::new(),
        });
        let closed = calls.closed.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = queue.write_to(sender) => {}
                () = closed.cancelled() => {}
            }
        });
        tokio::spawn(receive(receiver, Arc::clone(&calls)));
        Self(Arc::new(Inner {
            service: service.to_owned(),
            outbox,
            calls,
            next: AtomicU64::new(1),
            free: Semaphore::new(MAX_IN_FLIGHT),
        }))
    }

    /// The service's name.
    pub fn service(&self) -> &str {
        &self.0.service
    }

    /// Calls `R` without descriptors or progress, waiting at most for the route's deadline.
    pub async fn call<R: Route>(&self, request: R::Request) -> Result<R::Response, Error> {
        Ok(self.call_with::<R>(request, Call::default()).await?.value)
    }

    /// Calls `R`. When the returned future is dropped, or the deadline passes, the service is told to cancel
    /// the call. Failures of the connection are `XPC connection error: …` or
    /// `XPC timeout for request to <service>/<route>` (behaviour.md 27.1).
    pub async fn call_with<R: Route>(
        &self,
        request: R::Request,
        call: Call,
    ) -> Result<Reply<R::Response>, Error> {
        if call.fds.len() > MAX_DESCRIPTORS {
            return Err(Error::invalid_argument(format!(
                "request with {} descriptors exceeds the limit of {MAX_DESCRIPTORS}",
                call.fds.len()
            )));
        }
        let payload = to_raw_value(&request).map_err(|error| {
            Error::invalid_argument(format!("failed to encode the request of {}: {error}", R::NAME))
        })?;
        let exchange = self.exchange(R::NAME, payload, call.fds, call.progress);
        let answer = match call.deadline.unwrap_or(R::DEADLINE) {
            None => exchange.await?,
            Some(limit) => tokio::time::timeout(limit, exchange).await.map_err(|_| {
                Error::internal(format!(
                    "XPC timeout for request to {}/{}",
                    self.0.service,
                    R::NAME
                ))
            })??,
        };
        let value = serde_json::from_str(answer.payload.get()).map_err(|error| {
            Error::internal(format!("failed to decode the reply of {}: {error}", R::NAME))
        })?;
        Ok(Reply {
            value,
            fds: answer.fds,
        })
    }

    /// Resolves when the service is gone. Does not keep the connection open.
    pub fn closed(&self) -> impl Future<Output = ()> + Send + 'static {
        self.0.calls.closed.clone().cancelled_owned()
    }

    async fn exchange(
        &self,
        route: &str,
        payload: Box<RawValue>,
        fds: Vec<OwnedFd>,
        progress: Option<mpsc::UnboundedSender<ProgressEvent>>,
    ) -> Result<Answer, Error> {
        let inner = &*self.0;
        let id = inner.next.fetch_add(1, Ordering::Relaxed);
        let frame = Frame::Request {
            id,
            route: route.to_owned(),
            progress: progress.is_some(),
            payload,
        };
        let body = frame.encode()?;
        let Ok(_free) = inner.free.acquire().await else {
            return Err(connection_error("Connection invalid"));
        };
        let (answer, answered) = oneshot::channel();
        inner.calls.register(id, Waiting { answer, progress })?;
        let in_flight = InFlight {
            inner,
            id,
            abandoned: Arc::default(),
        };
        // When the connection is gone this fails, and so does the answer, with the reason.
        inner
            .outbox
            .send(Message { body, fds }, Some(Arc::clone(&in_flight.abandoned)))
            .await;
        answered
            .await
            .unwrap_or_else(|_| Err(connection_error("Connection interrupted")))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("service", &self.0.service)
            .finish_non_exhaustive()
    }
}

/// A call that is waited for; gives it up when dropped before its answer came.
struct InFlight<'a> {
    inner: &'a Inner,
    id: u64,
    abandoned: Arc<AtomicBool>,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if self.inner.calls.lock().waiting.remove(&self.id).is_some() {
            self.abandoned.store(true, Ordering::Release);
            self.inner.outbox.urgent(&Frame::Cancel { id: self.id });
        }
    }
}

impl Calls {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn register(&self, id: u64, waiting: Waiting) -> Result<(), Error> {
        let mut state = self.lock();
        if let Some(error) = &state.ended {
            return Err(error.clone());
        }
        state.waiting.insert(id, waiting);
        Ok(())
    }

    fn answer(&self, id: u64, result: Result<Answer, Error>) {
        if let Some(waiting) = self.lock().waiting.remove(&id) {
            let _ = waiting.answer.send(result);
        }
    }

    /// Fails every call, present and future.
    fn end(&self, error: &Error) {
        let mut state = self.lock();
        state.ended.get_or_insert_with(|| error.clone());
        for (_, waiting) in state.waiting.drain() {
            let _ = waiting.answer.send(Err(error.clone()));
        }
        drop(state);
        self.closed.cancel();
    }
}

/// Hands out what arrives, until nothing more comes.
async fn receive(mut receiver: impl Receiver, calls: Arc<Calls>) {
    let reason = loop {
        let received = tokio::select! {
            received = receiver.receive() => received,
            () = calls.closed.cancelled() => return,
        };
        let message = match received {
            Ok(Some(message)) => message,
            Ok(None) | Err(ReceiveError::Io(_) | ReceiveError::Truncated) => {
                break connection_error("Connection interrupted");
            }
            Err(error) => break Error::invalid_state(format!("XPC connection error: {error}")),
        };
        match Frame::decode(&message.body) {
            Ok(Frame::Reply { id, payload }) => {
                calls.answer(
                    id,
                    Ok(Answer {
                        payload,
                        fds: message.fds,
                    }),
                );
            }
            Ok(Frame::Failure { id, error }) => {
                let error = serde_json::from_str(error.get()).unwrap_or_else(|_| {
                    Error::internal("received a malformed error payload from the XPC peer")
                });
                calls.answer(id, Err(error));
            }
            Ok(Frame::Progress { id, event }) => {
                if let Some(Waiting {
                    progress: Some(progress),
                    ..
                }) = calls.lock().waiting.get(&id)
                {
                    let _ = progress.send(*event);
                }
            }
            Ok(Frame::Refused { error }) => break error,
            Ok(Frame::Request { .. } | Frame::Cancel { .. }) => {
                break Error::invalid_state("XPC connection error: not a reply");
            }
            Err(error) => break Error::invalid_state(format!("XPC connection error: {error}")),
        }
    };
    calls.end(&reason);
}

fn connection_error(description: &str) -> Error {
    Error::interrupted(format!("XPC connection error: {description}"))
}

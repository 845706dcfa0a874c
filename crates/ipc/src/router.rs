//! Which handler answers which route.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::value::{RawValue, to_raw_value};

use crate::error::Error;
use crate::progress::Progress;
use crate::route::{Reply, Request, Route, Session};
use crate::transport::Peer;

/// A call before its payload is decoded.
pub(crate) struct Incoming {
    pub(crate) payload: Box<RawValue>,
    pub(crate) fds: Vec<OwnedFd>,
    pub(crate) progress: Progress,
    pub(crate) peer: Peer,
    pub(crate) session: Session,
}

/// A handler's answer after it is encoded.
pub(crate) type Answer = Result<(Box<RawValue>, Vec<OwnedFd>), Error>;

pub(crate) type Handler = Arc<dyn Fn(Incoming) -> BoxFuture<'static, Answer> + Send + Sync>;

/// The routes of a service. Cheap to clone.
#[derive(Clone, Default)]
pub struct Router {
    handlers: HashMap<&'static str, Handler>,
}

impl Router {
    /// A router without routes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers `R` with `handler`, which runs in a task of its own for every call and is dropped at its next
    /// await point when the caller gives up or disconnects.
    ///
    /// # Panics
    ///
    /// If the route has a handler already.
    #[must_use]
    pub fn route<R, F, Fut>(mut self, handler: F) -> Self
    where
        R: Route,
        F: Fn(Request<R::Request>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Reply<R::Response>, Error>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        let erased: Handler = Arc::new(move |incoming: Incoming| {
            let handler = Arc::clone(&handler);
            async move {
                let payload: R::Request = serde_json::from_str(incoming.payload.get()).map_err(|error| {
                    Error::invalid_argument(format!("invalid request: {}: {error}", R::NAME))
                })?;
                let Incoming {
                    fds,
                    progress,
                    peer,
                    session,
                    ..
                } = incoming;
                let reply = handler(Request {
                    payload,
                    fds,
                    progress,
                    peer,
                    session,
                })
                .await?;
                let value = to_raw_value(&reply.value).map_err(|error| {
                    Error::internal(format!("failed to encode the reply of {}: {error}", R::NAME))
                })?;
                Ok((value, reply.fds))
            }
            .boxed()
        });
        assert!(
            self.handlers.insert(R::NAME, erased).is_none(),
            "two handlers for the route {}",
            R::NAME
        );
        self
    }

    /// This router's routes and `other`'s.
    ///
    /// # Panics
    ///
    /// If both have the same route.
    #[must_use]
    pub fn merge(mut self, other: Router) -> Self {
        for (name, handler) in other.handlers {
            assert!(
                self.handlers.insert(name, handler).is_none(),
                "two handlers for the route {name}"
            );
        }
        self
    }

    pub(crate) fn find(&self, route: &str) -> Option<Handler> {
        self.handlers.get(route).cloned()
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.handlers.keys()).finish()
    }
}

//! Routes and a service that the tests share.
#![allow(dead_code, unreachable_pub, reason = "every test binary uses another part")]

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use container_ipc::transport::Transport;
use container_ipc::{Client, Endpoint, Error, ProgressEvent, Reply, Request, Route, Router, serve_with};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The transport under test: the platform's own. A mach service needs a job of launchd's, so on macOS it is XPC without
/// names.
#[cfg(not(target_os = "macos"))]
pub type Under = container_ipc::platform::Transport;
/// The transport under test.
#[cfg(target_os = "macos")]
pub type Under = container_ipc::platform::Anonymous;

/// Far longer than any step takes, so that only a hang reaches it.
pub const SOON: Duration = Duration::from_secs(10);

macro_rules! route {
    ($name:ident, $text:literal, $request:ty => $response:ty, $deadline:expr) => {
        pub struct $name;
        impl Route for $name {
            const NAME: &'static str = $text;
            const DEADLINE: Option<Duration> = $deadline;
            type Request = $request;
            type Response = $response;
        }
    };
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    pub text: String,
    pub number: u64,
}

route!(Echo, "echo", Text => Text, Some(SOON));
route!(WhoAmI, "whoAmI", () => (u32, Option<i32>, u64), Some(SOON));
route!(Fail, "fail", Error => (), Some(SOON));
route!(Hang, "hang", u64 => (), Some(Duration::from_millis(100)));
route!(HangForEver, "hang", u64 => (), None);
route!(Missing, "missing", () => (), Some(SOON));
route!(Panic, "panic", () => (), Some(SOON));
route!(Blob, "blob", usize => String, Some(SOON));
route!(SwapFiles, "swapFiles", () => usize, Some(SOON));
route!(Steps, "steps", i64 => (), Some(SOON));
route!(Stop, "stop", () => String, Some(SOON));

/// What handlers of the service did.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    Started(u64),
    Cancelled(u64),
    SessionClosed(u64),
}

struct OnDrop(u64, mpsc::UnboundedSender<Seen>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        let _ = self.1.send(Seen::Cancelled(self.0));
    }
}

/// A running service in a directory of its own.
pub struct Service<T = Under> {
    transport: PhantomData<T>,
    pub dir: tempfile::TempDir,
    pub endpoint: Endpoint,
    pub seen: mpsc::UnboundedReceiver<Seen>,
    pub shutdown: CancellationToken,
    pub task: JoinHandle<()>,
}

pub fn endpoint() -> (tempfile::TempDir, Endpoint) {
    let dir = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::new(&dir.path().join("run"), "test.service");
    (dir, endpoint)
}

impl Service {
    pub fn start() -> Self {
        Self::over()
    }
}

impl<T: Transport> Service<T> {
    pub fn over() -> Self {
        let (dir, endpoint) = endpoint();
        let (sender, seen) = mpsc::unbounded_channel();
        let shutdown = CancellationToken::new();
        let listener = T::bind(&endpoint).unwrap();
        let task = tokio::spawn(serve_with(
            listener,
            router(sender, shutdown.clone()),
            shutdown.clone(),
        ));
        Self {
            transport: PhantomData,
            dir,
            endpoint,
            seen,
            shutdown,
            task,
        }
    }

    pub async fn client(&self) -> Client {
        Client::connect_with::<T>(&self.endpoint).await.unwrap()
    }

    pub async fn next(&mut self) -> Seen {
        tokio::time::timeout(SOON, self.seen.recv())
            .await
            .expect("nothing happened")
            .unwrap()
    }
}

fn router(seen: mpsc::UnboundedSender<Seen>, shutdown: CancellationToken) -> Router {
    let seen = Arc::new(seen);
    Router::new()
        .route::<Echo, _, _>(|r: Request<Text>| async move { Ok(r.payload.into()) })
        .route::<WhoAmI, _, _>(|r| async move { Ok((r.peer.uid, r.peer.pid, r.session.id()).into()) })
        .route::<Fail, _, _>(|r| async move { Err(r.payload) })
        .route::<Hang, _, _>(move |r| {
            let seen = mpsc::UnboundedSender::clone(&seen);
            async move {
                let _cancelled = OnDrop(r.payload, seen.clone());
                let (number, session) = (r.payload, r.session.clone());
                seen.send(Seen::Started(number)).unwrap();
                tokio::spawn(async move {
                    session.closed().await;
                    let _ = seen.send(Seen::SessionClosed(number));
                });
                std::future::pending().await
            }
        })
        .route::<Panic, _, _>(|_| async move { panic!("on purpose") })
        .route::<Blob, _, _>(|r| async move { Ok("x".repeat(r.payload).into()) })
        .route::<SwapFiles, _, _>(|mut r| async move {
            r.fds.reverse();
            Ok(Reply {
                value: r.fds.len(),
                fds: r.fds,
            })
        })
        .route::<Steps, _, _>(|r| async move {
            for _ in 0..r.payload {
                r.progress.send(ProgressEvent {
                    add_items: Some(1),
                    ..Default::default()
                });
                tokio::task::yield_now().await;
            }
            r.progress.send(ProgressEvent {
                description: Some("done".into()),
                ..Default::default()
            });
            Ok(().into())
        })
        .route::<Stop, _, _>(move |_| {
            shutdown.cancel();
            async move { Ok("stopping".to_owned().into()) }
        })
}

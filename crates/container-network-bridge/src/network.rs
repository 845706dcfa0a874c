//! The network itself: its namespace, and keeping it in order.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::holder::{Holder, Order};
use crate::settings::Settings;

/// The pause before what failed is tried again, and the longest one.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));

/// This program, also after its file was replaced.
const PROGRAM: &str = "/proc/self/exe";

/// A network that is made when it is needed and made again when it breaks.
#[derive(Debug)]
pub struct Network {
    settings: Settings,
    program: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    up: Option<Holder>,
    /// Descriptors of the namespaces, which keep them if the holder dies.
    namespaces: Vec<OwnedFd>,
    ended: bool,
}

impl Network {
    /// The network that `settings` describe. Nothing is made yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            program: PROGRAM.into(),
            state: Mutex::default(),
        }
    }

    /// The same network, whose holder is the program `program`.
    #[must_use]
    pub fn with_program(mut self, program: PathBuf) -> Self {
        self.program = program;
        self
    }

    /// What the network is asked to be.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Has everything there, and gives the connection to the holder.
    ///
    /// # Errors
    /// Something cannot be made.
    pub async fn up(&self) -> Result<Holder, Error> {
        let mut state = self.state.lock().await;
        if let Some(holder) = &state.up {
            return Ok(holder.clone());
        }
        if state.ended {
            return Err(Error::Holder(
                self.settings.id.clone(),
                "it is being removed".to_owned(),
            ));
        }
        let holder = self.holder(&mut state).await?;
        let failed = |error: container_ipc::Error| Error::Holder(self.settings.id.clone(), error.to_string());
        let bridge = Order::Bridge {
            mac: self.settings.bridge_mac(),
            addresses: self.settings.gateways().to_vec(),
        };
        holder.call(bridge).await.map_err(failed)?;
        state.up = Some(holder.clone());
        Ok(holder)
    }

    /// The running holder, or a new one: in the old one's namespaces if it died.
    async fn holder(&self, state: &mut State) -> Result<Holder, Error> {
        let endpoint = self.settings.holder();
        let holder = match Holder::find(&endpoint).await {
            Some(holder) => holder,
            None => {
                let (root, id) = (&self.settings.app_root, &self.settings.id);
                let started = Holder::start(&self.program, &endpoint, root, id, &state.namespaces).await;
                started.map_err(|reason| Error::Holder(id.clone(), reason))?
            }
        };
        state.namespaces = holder.exchange(Order::Namespaces, Vec::new()).await?;
        Ok(holder)
    }

    /// Keeps the network in order until `stop`.
    pub async fn keep_up(&self, stop: CancellationToken) {
        let mut pause = PAUSES.0;
        loop {
            let since = tokio::time::Instant::now();
            match self.up().await {
                Ok(holder) => {
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = holder.closed() => tracing::warn!("the process of the network's namespace is gone"),
                    }
                    self.state.lock().await.up = None;
                }
                Err(error) => tracing::error!("{error}"),
            }
            pause = match since.elapsed() > PAUSES.1 {
                true => PAUSES.0,
                false => (pause * 2).min(PAUSES.1),
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Takes everything down.
    pub async fn down(&self) {
        let mut state = self.state.lock().await;
        state.ended = true;
        state.up = None;
        if let Some(holder) = Holder::find(&self.settings.holder()).await {
            if let Err(error) = holder.call(Order::End).await {
                tracing::error!(%error, "failed to end the process of the network's namespace");
            }
            if tokio::time::timeout(PAUSES.1, holder.closed()).await.is_err() {
                tracing::error!("the process of the network's namespace does not end");
            }
        }
        state.namespaces.clear();
    }
}

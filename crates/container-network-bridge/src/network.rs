//! The network itself: its namespace, and keeping it in order.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::holder::{Holder, Order, is_same, namespaces_of};
use crate::lease::Leases;
use crate::local::LocalDomains;
use crate::name_server::NameServer;
use crate::names::NetworkNames;
use crate::settings::Settings;
use crate::uplink::{self, Uplink};

/// The pause before what failed is tried again, and the longest one.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));

/// This program, also after its file was replaced.
const PROGRAM: &str = "/proc/self/exe";

/// A network that is made when it is needed and made again when it breaks.
#[derive(Debug)]
pub struct Network {
    settings: Settings,
    program: PathBuf,
    names: Arc<NetworkNames>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    up: Option<Up>,
    /// What was there before something broke.
    former: Option<Arc<Uplink>>,
    /// Descriptors of the namespaces, which keep them if the holder dies.
    namespaces: Vec<OwnedFd>,
    name_server: Option<NameServer>,
    ended: bool,
}

/// Everything that makes a network work.
#[derive(Debug, Clone)]
struct Up {
    holder: Holder,
    uplink: Arc<Uplink>,
}

impl Network {
    /// The network that `settings` describe. Nothing is made yet.
    pub fn new(settings: Settings) -> Self {
        let names = NetworkNames {
            settings: settings.clone(),
            leases: Arc::new(std::sync::Mutex::new(Leases::open(&settings))),
            local: Arc::new(LocalDomains::open(&settings.app_root)),
        };
        Self {
            settings,
            names: Arc::new(names),
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

    /// Who has which address and which names.
    pub(crate) fn leases(&self) -> MutexGuard<'_, Leases> {
        self.names.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has everything there, and gives the connection to the holder.
    ///
    /// # Errors
    /// Something cannot be made.
    pub async fn up(&self) -> Result<Holder, Error> {
        let mut state = self.state.lock().await;
        Ok(self.ensure(&mut state).await?.holder)
    }

    /// A descriptor of the network's namespace, if it is there.
    pub(crate) async fn namespace(&self) -> Option<OwnedFd> {
        let state = self.state.lock().await;
        state.namespaces.first()?.try_clone().ok()
    }

    /// Goes on in the namespace that the machine `hostname` is in, where both processes of the network were killed and
    /// the network is in another one now.
    ///
    /// # Errors
    /// Others are on the network by now, it is no namespace that can be entered, or something cannot be made.
    pub(crate) async fn go_back(&self, namespace: OwnedFd, hostname: &str) -> Result<(), Error> {
        let failed = |error| Error::System("failed to go back to the network's former namespace", error);
        let mut state = self.state.lock().await;
        let up = self.ensure(&mut state).await?;
        if let Some(own) = state.namespaces.first()
            && is_same(own, &namespace).map_err(failed)?
        {
            return Ok(());
        }
        let namespaces = namespaces_of(namespace).map_err(failed)?;
        if self.leases().iter().next().is_some() {
            let error = Error::CutOff(self.settings.id.clone(), hostname.to_owned());
            tracing::error!("{error}");
            return Err(error);
        }
        tracing::warn!(hostname, "going back to the namespace of machines that run");
        up.holder.end().await?;
        *state = State {
            namespaces,
            ended: state.ended,
            ..State::default()
        };
        self.ensure(&mut state).await.map(drop)
    }

    async fn ensure(&self, state: &mut State) -> Result<Up, Error> {
        if let Some(up) = &state.up {
            return Ok(up.clone());
        }
        if state.ended {
            return Err(Error::Holder(
                self.settings.id.clone(),
                "it is being removed".to_owned(),
            ));
        }
        let holder = self.holder(state).await?;
        let failed = |error: container_ipc::Error| Error::Holder(self.settings.id.clone(), error.to_string());
        let bridge = Order::Bridge {
            mac: self.settings.bridge_mac(),
            addresses: self.settings.gateways().to_vec(),
        };
        holder.call(bridge).await.map_err(failed)?;
        if state.name_server.is_none() {
            let server = NameServer::start(Arc::clone(&self.names), &holder).await;
            state.name_server =
                Some(server.map_err(|error| Error::Holder(self.settings.id.clone(), error.to_string()))?);
        }
        let localhosts = self.names.local.addresses();
        let uplink = Uplink::ensure(&self.settings, &holder, state.former.as_deref(), &localhosts).await;
        let uplink = uplink.map_err(|error| match error {
            // The API server can choose another one.
            Error::SubnetTaken(..) => error,
            _ => Error::Holder(self.settings.id.clone(), error.to_string()),
        })?;
        let up = Up {
            holder,
            uplink: Arc::new(uplink),
        };
        state.up = Some(up.clone());
        state.former = None;
        Ok(up)
    }

    /// The running holder, or a new one: in the old one's namespaces if it died.
    async fn holder(&self, state: &mut State) -> Result<Holder, Error> {
        let endpoint = self.settings.holder();
        let holder = match Holder::find(&endpoint).await {
            Some(holder) => holder,
            None => {
                let (root, id) = (&self.settings.app_root, &self.settings.id);
                let started = Holder::start(&self.program, &endpoint, root, id, &state.namespaces).await;
                if started.is_err() || state.namespaces.is_empty() {
                    // The next one gets new namespaces.
                    state.namespaces.clear();
                    state.name_server = None;
                }
                started.map_err(|reason| Error::Holder(id.clone(), reason))?
            }
        };
        (_, state.namespaces) = holder.namespaces().await?;
        Ok(holder)
    }

    /// Keeps the network in order until `stop`.
    pub async fn keep_up(&self, stop: CancellationToken) {
        let follow = async {
            self.follow_local_domains().await;
            // The rest goes on without them.
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = self.repair(stop) => {}
            () = follow => {}
        }
    }

    /// Has rules follow the domains that stand for the host's loopback.
    async fn follow_local_domains(&self) {
        let followed = self.names.local.follow(async || {
            let up = self.state.lock().await.up.clone();
            let localhosts = self.names.local.addresses();
            if let Some(up) = up
                && let Err(error) = up
                    .uplink
                    .load_rules(&self.settings, &up.holder, &localhosts)
                    .await
            {
                tracing::error!(%error, "failed to let names lead to the host");
            }
        });
        if let Err(error) = followed.await {
            tracing::error!(%error, "cannot follow the domains that stand for the host");
        }
    }

    async fn repair(&self, stop: CancellationToken) {
        let mut pause = PAUSES.0;
        loop {
            let since = tokio::time::Instant::now();
            let up = self.ensure(&mut *self.state.lock().await).await;
            match up {
                Ok(up) => {
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = up.holder.closed() => tracing::warn!("the process of the network's namespace is gone"),
                        () = up.uplink.lost() => tracing::warn!("the network's way out is gone"),
                    }
                    let mut state = self.state.lock().await;
                    if state.ended {
                        return;
                    }
                    state.former = state.up.take().map(|up| up.uplink);
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
        if std::mem::replace(&mut state.ended, true) {
            return;
        }
        let uplink = state.up.take().map(|up| up.uplink);
        if let Some(uplink) = &uplink {
            uplink.release();
        }
        uplink::remove(&self.settings).await;
        if let Some(holder) = Holder::find(&self.settings.holder()).await {
            let end = async {
                if let Err(error) = holder.end().await {
                    tracing::error!(%error, "failed to end the process of the network's namespace");
                }
                if let Some(uplink) = uplink {
                    uplink.ended().await;
                }
            };
            if tokio::time::timeout(PAUSES.1, end).await.is_err() {
                tracing::error!("the process of the network's namespace does not end");
            }
        }
        state.namespaces.clear();
        state.name_server = None;
    }
}

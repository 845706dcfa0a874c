//! The helper's side of the holder.

use std::io::ErrorKind;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use container_client::services;
use container_ipc::{Call, Client, Endpoint};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt, Interest};
use tokio::process::Command;

use super::namespace::Join;
use super::order::{Obey, Order, Report};

/// How long a holder may take to start.
const START: Duration = Duration::from_secs(10);

/// A connection to a network's holder. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Holder {
    client: Client,
}

impl Holder {
    /// Connects to the holder at `endpoint` if one runs.
    pub async fn find(endpoint: &Endpoint) -> Option<Self> {
        let client = Client::connect(endpoint).await.ok()?;
        Some(Self { client })
    }

    /// Starts a holder and connects to it: one of the namespaces `join`, descriptors as [`Order::Namespaces`] gives them,
    /// or of new ones if there are none.
    ///
    /// # Errors
    /// What the holder says, in a sentence.
    pub async fn start(
        program: &Path,
        endpoint: &Endpoint,
        app_root: &Path,
        id: &str,
        join: &[OwnedFd],
    ) -> Result<Self, String> {
        let mut command = Command::new(program);
        command.arg0(services::NETWORK_PROGRAM);
        command.arg("hold").arg("--id").arg(id);
        command.arg("--root").arg(app_root);
        for (option, descriptor) in ["--join-network", "--join-user"].iter().zip(join) {
            command.arg(option).arg(path_of(descriptor));
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .current_dir("/");
        let mut process = command
            .spawn()
            .map_err(|error| format!("failed to start {}: {error}", program.display()))?;
        let mut answer = String::new();
        if let Some(output) = process.stdout.take() {
            let read = async { output.take(4096).read_to_string(&mut answer).await };
            if tokio::time::timeout(START, read).await.is_err() {
                let _ = process.start_kill();
                return Err(format!(
                    "the process of its namespace did not start within {} s",
                    START.as_secs()
                ));
            }
        }
        match answer.trim() {
            "ready" => {}
            "" => return Err("the process of its namespace ended at once".to_owned()),
            reason => return Err(reason.to_owned()),
        }
        Self::find(endpoint)
            .await
            .ok_or_else(|| "the process of its namespace does not answer".to_owned())
    }

    /// Has the holder do something.
    ///
    /// # Errors
    /// It fails, or the holder is gone.
    pub async fn call(&self, order: Order) -> Result<Report, container_ipc::Error> {
        self.client.call::<Obey>(order).await
    }

    /// The holder's process, and descriptors of its network namespace and, if it has one of its own, its user namespace.
    ///
    /// # Errors
    /// The holder is gone.
    pub async fn namespaces(&self) -> Result<(u32, Vec<OwnedFd>), container_ipc::Error> {
        let reply = self
            .client
            .call_with::<Obey>(Order::Namespaces, Call::default())
            .await?;
        Ok((reply.value.process, reply.fds))
    }

    /// Has the holder do something that takes or gives descriptors.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn exchange(
        &self,
        order: Order,
        fds: Vec<OwnedFd>,
    ) -> Result<Vec<OwnedFd>, container_ipc::Error> {
        let call = Call {
            fds,
            ..Call::default()
        };
        Ok(self.client.call_with::<Obey>(order, call).await?.fds)
    }

    /// Ends the holder and what it keeps. Resolves when its process has ended.
    ///
    /// # Errors
    /// It cannot be asked or waited for.
    pub async fn end(&self) -> Result<(), container_ipc::Error> {
        let failed = |error: std::io::Error| container_ipc::Error::internal(error.to_string());
        let (pid, _) = self.namespaces().await?;
        let process = Pid::from_raw(pid.cast_signed()).ok_or_else(|| failed(ErrorKind::NotFound.into()))?;
        let process = pidfd_open(process, PidfdFlags::empty()).map_err(|error| failed(error.into()))?;
        // SAFETY: an `OwnedFd` always gives the one descriptor that it keeps open.
        let process = unsafe { AsyncFd::register_with_interest(process, Interest::READABLE) };
        let process = process.map_err(|error| failed(error.into()))?;
        self.call(Order::End).await?;
        // A pidfd becomes readable at the end of its process.
        process.readable().await.map_err(failed)?.retain_ready();
        Ok(())
    }

    /// Resolves when the holder is gone.
    pub async fn closed(&self) {
        self.client.closed().await;
    }
}

/// Options of the command line as namespaces to join.
impl Join {
    /// The namespaces that `hold` was given.
    pub fn from_options(network: Option<PathBuf>, user: Option<PathBuf>) -> Option<Self> {
        network.map(|network| Self { network, user })
    }
}

/// How another process of this user opens a descriptor of this one.
fn path_of(descriptor: &OwnedFd) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), descriptor.as_raw_fd())
}

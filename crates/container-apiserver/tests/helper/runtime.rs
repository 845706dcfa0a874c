//! A runtime helper whose container is a state machine. How it misbehaves is the container's label `helper`:
//!
//! - `die-at-boot`, `hang-at-boot`, `fail-at-start`, `hang-at-shutdown`
//! - `ignore-stop`: neither stops nor dies of signals
//!
//! The init process ends by a signal, with 128 + its number; USR1 ends the helper itself instead, without a word. Its
//! first argument, if it is a number, ends it at once with that code.

use std::future::pending;
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use container_client::bundle::StartRecord;
use container_client::phases::Phases;
use container_client::runtime::{
    Bootstrap, CreateProcess, Kill, Resize, Shutdown, Start, State, Statistics, Stop, Stopped, Wait,
};
use container_client::stdio_log::{Limits, LogWriter, Stream};
use container_client::{Bundle, Stdio};
use container_ipc::unix::Listener;
use container_ipc::{Error, Router};
use container_resource::time::now;
use container_resource::{Attachment, ContainerState, ContainerStatistics, ContainerStatus, ExitStatus};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

#[derive(Debug)]
struct Helper {
    id: String,
    bundle: Bundle,
    behaviour: String,
    argument: Option<i32>,
    status: watch::Sender<ContainerStatus>,
    ended: watch::Sender<Option<ExitStatus>>,
    shutdown: CancellationToken,
}

pub(crate) async fn serve(bundle: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(
        std::env::var("CONTAINER_LISTEN_FDS").as_deref() == Ok("1"),
        "no socket"
    );
    // SAFETY: the server says that it left an open descriptor of this number, and nothing else here uses it.
    let listener = Listener::from_fd(unsafe { OwnedFd::from_raw_fd(3) })?;
    let bundle = Bundle::new(bundle);
    let configuration = bundle.load_configuration()?.configuration;
    std::fs::write(bundle.path().join("pid"), std::process::id().to_string())?;
    LogWriter::begin(&bundle.stdio_log(), Limits::default(), false)?.append(Stream::Stdout, b"output\n")?;
    std::fs::write(bundle.boot_log(), "console\n")?;
    let shutdown = CancellationToken::new();
    let helper = Arc::new(Helper {
        id: configuration.id.clone(),
        behaviour: configuration.labels.get("helper").cloned().unwrap_or_default(),
        argument: configuration
            .init_process
            .arguments
            .first()
            .and_then(|argument| argument.parse().ok()),
        bundle,
        status: watch::Sender::new(ContainerStatus {
            state: ContainerState::Stopped,
            ..Default::default()
        }),
        ended: watch::Sender::new(None),
        shutdown: shutdown.clone(),
    });
    container_ipc::serve_with(listener, router(&helper), shutdown).await;
    Ok(())
}

fn router(helper: &Arc<Helper>) -> Router {
    macro_rules! routes {
        ($($route:ty => $method:ident),* $(,)?) => {
            Router::new()$(.route::<$route, _, _>({
                let helper = Arc::clone(helper);
                move |request| {
                    let helper = Arc::clone(&helper);
                    async move { helper.$method(request.payload, request.fds).await.map(Into::into) }
                }
            }))*
        };
    }
    routes! {
        Bootstrap => bootstrap, CreateProcess => create_process, Start => start, Wait => wait, Kill => kill,
        Stopped => stopped,
        Resize => resize, Stop => stop, State => state, Statistics => statistics, Shutdown => shut_down,
    }
}

type Fds = Vec<OwnedFd>;

impl Helper {
    fn end(&self, exit_code: i32) {
        let status = ExitStatus {
            exit_code,
            exited_at: now(),
        };
        if let Err(error) = self.bundle.store_exit(status) {
            eprintln!("{error}");
        }
        self.status
            .send_modify(|status| status.state = ContainerState::Stopped);
        self.ended.send_replace(Some(status));
    }

    async fn bootstrap(
        &self,
        request: container_client::runtime::BootstrapRequest,
        fds: Fds,
    ) -> Result<Phases, Error> {
        Stdio::join(request.stdio, fds)?;
        match self.behaviour.as_str() {
            "die-at-boot" => std::process::exit(3),
            "hang-at-boot" => pending().await,
            _ => {}
        }
        let attachment = Attachment {
            network: "default".to_owned(),
            hostname: self.id.clone(),
            ipv4_address: "192.0.2.2/24".to_owned(),
            ipv4_gateway: "192.0.2.1".to_owned(),
            ipv6_address: None,
            mac_address: None,
            mtu: None,
            variant: None,
        };
        self.status.send_modify(|status| {
            status.state = ContainerState::Running;
            status.networks = vec![attachment];
        });
        Ok(Phases::default())
    }

    async fn create_process(
        &self,
        request: container_client::runtime::CreateProcessRequest,
        fds: Fds,
    ) -> Result<(), Error> {
        let stdio = Stdio::join(request.stdio, fds)?;
        // A process that writes its own name.
        if let Some(stdout) = stdio.stdout {
            use std::io::Write as _;
            std::fs::File::from(stdout).write_all(request.process_config.executable.as_bytes())?;
        }
        Ok(())
    }

    async fn start(&self, request: container_client::runtime::ProcessId, _: Fds) -> Result<Phases, Error> {
        if request.id != self.id {
            return Ok(Phases::default());
        }
        if self.behaviour == "fail-at-start" {
            return Err(Error::internal("failed to find target executable"));
        }
        if self.status.borrow().started_date.is_some() {
            return Err(Error::invalid_state(
                "container expected to be in booted state, got: running",
            ));
        }
        let started_date = now();
        self.bundle.store_start(StartRecord { started_date })?;
        self.status
            .send_modify(|status| status.started_date = Some(started_date));
        if let Some(code) = self.argument {
            self.end(code);
        }
        Ok(Phases::default())
    }

    async fn wait(&self, request: container_client::runtime::ProcessId, _: Fds) -> Result<ExitStatus, Error> {
        if request.id != self.id {
            return match request.id.parse() {
                Ok(exit_code) => Ok(ExitStatus {
                    exit_code,
                    exited_at: now(),
                }),
                Err(_) => pending().await,
            };
        }
        self.stopped((), Vec::new()).await
    }

    async fn stopped(&self, (): (), _: Fds) -> Result<ExitStatus, Error> {
        let mut ended = self.ended.subscribe();
        let status = ended
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|status| *status);
        status.ok_or_else(|| Error::internal("gone"))
    }

    async fn kill(&self, request: container_client::runtime::KillRequest, _: Fds) -> Result<(), Error> {
        let number = match request.signal.as_str() {
            "USR1" => std::process::exit(1),
            _ if self.behaviour == "ignore-stop" => return Ok(()),
            "TERM" => 15,
            "KILL" => 9,
            signal => return Err(Error::invalid_argument(format!("invalid signal: {signal}"))),
        };
        self.end(128 + number);
        Ok(())
    }

    async fn resize(&self, _: container_client::runtime::ResizeRequest, _: Fds) -> Result<(), Error> {
        Ok(())
    }

    async fn stop(&self, options: container_client::api::StopOptions, _: Fds) -> Result<(), Error> {
        if options.signal.as_deref() == Some("NONSENSE") {
            return Err(Error::invalid_argument("invalid signal: NONSENSE"));
        }
        if self.behaviour == "ignore-stop" {
            pending::<()>().await;
        }
        self.end(143);
        Ok(())
    }

    async fn state(&self, (): (), _: Fds) -> Result<ContainerStatus, Error> {
        Ok(self.status.borrow().clone())
    }

    async fn statistics(&self, (): (), _: Fds) -> Result<ContainerStatistics, Error> {
        Ok(ContainerStatistics {
            id: self.id.clone(),
            num_processes: Some(1),
            ..Default::default()
        })
    }

    async fn shut_down(&self, (): (), _: Fds) -> Result<(), Error> {
        if self.behaviour == "hang-at-shutdown" {
            pending::<()>().await;
        }
        self.shutdown.cancel();
        Ok(())
    }
}

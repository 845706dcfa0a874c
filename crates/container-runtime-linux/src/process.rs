//! One process in the guest: its standard streams, its start and its end.

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use container_client::Stdio;
use container_client::stdio_log::{LogWriter, Stream};
use container_hypervisor::{Connection, Listener, VirtualMachine};
use container_ipc::{Error, ErrorCode};
use container_resource::ExitStatus;
use container_sandbox::Agent;
use container_sandbox::proto::{
    CreateProcessRequest, DeleteProcessRequest, KillProcessRequest, ResizeProcessRequest,
    StartProcessRequest, WaitProcessRequest,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::error::{LOST, exit};
use crate::relay::{Input, Output, Sinks};

/// How long the agent may take to start a process and to connect its streams.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How long the agent may take for a small request.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// The first of the ports that streams travel over (behaviour reference, 28.1).
const FIRST_PORT: u32 = 0x1000_0000;

/// The guest as processes see it.
#[derive(Clone)]
pub(crate) struct Guest {
    /// The container's id.
    pub container: String,
    /// The agent.
    pub agent: Agent,
    /// The machine, for the ports that streams travel over.
    pub machine: Arc<dyn VirtualMachine>,
    next_port: Arc<AtomicU32>,
}

impl Guest {
    /// The guest of a machine that has just booted.
    pub(crate) fn new(container: String, agent: Agent, machine: Arc<dyn VirtualMachine>) -> Self {
        Self {
            container,
            agent,
            machine,
            next_port: Arc::new(AtomicU32::new(FIRST_PORT)),
        }
    }

    /// A port that is not in use.
    pub(crate) fn next_port(&self) -> u32 {
        self.next_port.fetch_add(1, Ordering::Relaxed)
    }

    /// A port of the host that the agent can connect to.
    ///
    /// # Errors
    /// The machine has ended.
    pub(crate) fn listen(&self) -> Result<Port, Error> {
        let number = self.next_port();
        let listener = self.machine.listen(number).map_err(crate::Error::from)?;
        Ok(Port { number, listener })
    }
}

impl std::fmt::Debug for Guest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guest")
            .field("container", &self.container)
            .finish_non_exhaustive()
    }
}

/// A port at which the agent will connect.
pub(crate) struct Port {
    /// Its number.
    pub number: u32,
    /// Where the connections arrive.
    pub listener: Box<dyn Listener>,
}

/// A process that was created and may have been started.
#[derive(Debug)]
pub(crate) struct GuestProcess {
    id: String,
    terminal: bool,
    /// OCI runtime specification (init) or its process part (exec), as the agent wants it.
    specification: Vec<u8>,
    /// The init process's log.
    log: Option<Arc<Mutex<LogWriter>>>,
    /// The client's descriptors until the start.
    stdio: Mutex<Option<Stdio>>,
    /// Whether there is input although no client has come with the process.
    has_input: bool,
    input: OnceLock<Input>,
    outputs: Mutex<Vec<Output>>,
    /// Its number in the guest, from its start on.
    pid: AtomicI32,
    exited: CancellationToken,
    exit: watch::Sender<Option<ExitStatus>>,
}

impl GuestProcess {
    /// A process that is not started yet.
    pub(crate) fn new(
        id: String,
        terminal: bool,
        specification: Vec<u8>,
        stdio: Stdio,
        log: Option<Arc<Mutex<LogWriter>>>,
    ) -> Self {
        Self {
            id,
            terminal,
            specification,
            log,
            stdio: Mutex::new(Some(stdio)),
            has_input: false,
            input: OnceLock::new(),
            outputs: Mutex::default(),
            pid: AtomicI32::new(0),
            exited: CancellationToken::new(),
            exit: watch::Sender::new(None),
        }
    }

    /// The same, with input that clients can come for later if `has_input`.
    pub(crate) fn with_input(self, has_input: bool) -> Self {
        Self { has_input, ..self }
    }

    /// Creates and starts the process in the guest, streams connected.
    ///
    /// # Errors
    /// The agent's, such as a program that does not exist.
    pub(crate) async fn start(&self, guest: &Guest) -> Result<(), Error> {
        let stdio = self
            .stdio
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take();
        let Some(stdio) = stdio else {
            return Err(Error::new(
                ErrorCode::InvalidState,
                format!("process {} is started already", self.id),
            ));
        };
        let started = tokio::time::timeout(START_LIMIT, self.create_and_start(guest, stdio)).await;
        let started = started.unwrap_or_else(|_| {
            Err(Error::new(
                ErrorCode::Timeout,
                "the guest agent did not start the process in time",
            ))
        });
        if started.is_err() {
            self.exited.cancel();
            let request = DeleteProcessRequest {
                id: self.id.clone(),
                container_id: Some(guest.container.clone()),
            };
            // The agent may never have known the process.
            let _ = tokio::time::timeout(REQUEST_LIMIT, guest.agent.delete_process(request)).await;
        }
        started
    }

    async fn create_and_start(&self, guest: &Guest, stdio: Stdio) -> Result<(), Error> {
        // The init process's output is always read, for the log. With a terminal everything arrives on one stream.
        let listen = |wanted: bool| wanted.then(|| guest.listen()).transpose();
        let logged = self.log.is_some();
        let mut input = listen(stdio.stdin.is_some() || self.has_input)?;
        let mut output = listen(stdio.stdout.is_some() || logged)?;
        let mut error = listen(!self.terminal && (stdio.stderr.is_some() || logged))?;
        let port = |port: &Option<Port>| port.as_ref().map(|port| port.number);
        let request = CreateProcessRequest {
            id: self.id.clone(),
            container_id: Some(guest.container.clone()),
            stdin: port(&input),
            stdout: port(&output),
            stderr: port(&error),
            configuration: self.specification.clone(),
            ..CreateProcessRequest::default()
        };
        guest.agent.create_process(request).await?;
        let start = StartProcessRequest {
            id: self.id.clone(),
            container_id: Some(guest.container.clone()),
        };
        let (input, output, error, started) = tokio::try_join!(
            accept(&mut input),
            accept(&mut output),
            accept(&mut error),
            guest.agent.start_process(start),
        )?;
        self.pid.store(started.pid, Ordering::Relaxed);
        if let Some(stream) = input {
            let input = Input::forward(stream, self.exited.clone()).map_err(no_input)?;
            if let Some(client) = stdio.stdin {
                input.add(client, true).map_err(no_input)?;
            }
            // This is done once.
            let _ = self.input.set(input);
        }
        let mut outputs = self
            .outputs
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let streams = [
            (output, stdio.stdout, Stream::Stdout),
            (error, stdio.stderr, Stream::Stderr),
        ];
        for (connection, client, stream) in streams {
            if let Some(connection) = connection {
                outputs.push(Output::forward(
                    connection,
                    Sinks {
                        log: self.log.clone().map(|log| (log, stream)),
                        client,
                    },
                    self.exited.clone(),
                ));
            }
        }
        Ok(())
    }

    /// Gives further clients what the process writes from now on, and the process what they write.
    ///
    /// # Errors
    /// The process has no input.
    pub(crate) fn attach(&self, stdio: Stdio) -> Result<(), Error> {
        if let Some(client) = stdio.stdin {
            let input = self.input.get();
            let input = input.ok_or_else(|| Error::invalid_state("the container has no standard input"))?;
            input.add(client, false).map_err(no_input)?;
        }
        // With a terminal there is one stream only.
        for (output, fd) in self.outputs().iter().zip([stdio.stdout, stdio.stderr]) {
            if let Some(fd) = fd {
                output.attach(fd);
            }
        }
        Ok(())
    }

    /// Waits in the guest until the process has ended and everything it wrote has left the guest.
    ///
    /// # Errors
    /// The agent is lost.
    pub(crate) async fn wait_in_guest(&self, guest: &Guest) -> Result<ExitStatus, Error> {
        let request = WaitProcessRequest {
            id: self.id.clone(),
            container_id: Some(guest.container.clone()),
        };
        let reply = guest.agent.wait_process(request).await;
        self.exited.cancel();
        let reply = reply?;
        for output in self.outputs() {
            output.read().await;
        }
        Ok(exit(reply.exit_code))
    }

    /// Records how the process ended.
    pub(crate) fn finish(&self, status: ExitStatus) {
        self.exited.cancel();
        self.exit.send_replace(Some(status));
    }

    /// Resolves when the client has all output; at once when there is none.
    pub(crate) async fn written(&self) {
        for output in self.outputs() {
            output.written().await;
        }
    }

    fn outputs(&self) -> Vec<Output> {
        self.outputs
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    /// Its number in the guest, once it was started.
    pub(crate) fn pid(&self) -> Option<i32> {
        Some(self.pid.load(Ordering::Relaxed)).filter(|pid| *pid != 0)
    }

    /// How the process ended, if it has.
    pub(crate) fn exit_status(&self) -> Option<ExitStatus> {
        *self.exit.borrow()
    }

    /// Waits for the end.
    pub(crate) async fn wait(&self) -> ExitStatus {
        let mut exit_status = self.exit.subscribe();
        match exit_status.wait_for(Option::is_some).await {
            Ok(status) => status.unwrap_or_else(|| exit(LOST)),
            // The sender is part of `self` and cannot be gone.
            Err(_) => exit(LOST),
        }
    }

    /// Forgets the process in the guest.
    pub(crate) async fn delete(&self, guest: &Guest) {
        let request = DeleteProcessRequest {
            id: self.id.clone(),
            container_id: Some(guest.container.clone()),
        };
        // What cannot be deleted ends with the machine.
        let _ = tokio::time::timeout(REQUEST_LIMIT, guest.agent.delete_process(request)).await;
    }

    /// Sends `signal`.
    ///
    /// # Errors
    /// The process has ended, or the agent does not answer in time.
    pub(crate) async fn kill(&self, guest: &Guest, signal: i32) -> Result<(), Error> {
        let request = KillProcessRequest {
            id: self.id.clone(),
            container_id: Some(guest.container.clone()),
            signal,
        };
        limited(guest.agent.kill_process(request)).await.map(|_| ())
    }

    /// Sets the terminal's size.
    ///
    /// # Errors
    /// The process has no terminal, or the agent does not answer in time.
    pub(crate) async fn resize(&self, guest: &Guest, columns: u16, rows: u16) -> Result<(), Error> {
        let request = ResizeProcessRequest {
            id: self.id.clone(),
            container_id: Some(guest.container.clone()),
            rows: rows.into(),
            columns: columns.into(),
        };
        limited(guest.agent.resize_process(request)).await.map(|_| ())
    }
}

/// A call to the agent that must not take long.
pub(crate) async fn limited<T>(call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let answered = tokio::time::timeout(REQUEST_LIMIT, call).await;
    answered.unwrap_or_else(|_| Err(Error::new(ErrorCode::Timeout, "the guest agent does not answer")))
}

fn no_input(cause: std::io::Error) -> Error {
    Error::internal(format!("failed to read input: {cause}"))
}

async fn accept(port: &mut Option<Port>) -> Result<Option<Connection>, Error> {
    let Some(port) = port else { return Ok(None) };
    Ok(Some(port.listener.accept().await.map_err(crate::Error::from)?))
}

//! QEMU's monitor protocol: one JSON object a line, answers matched to commands by number.

mod message;

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

pub(super) use message::Command;
use message::{Message, Refusal, Request};

/// Time that QEMU has for one command. It answers in under a millisecond unless its disks or processors are overwhelmed.
const DEADLINE: Duration = Duration::from_secs(10);

/// The longest line that is taken.
const MAX_LINE: u64 = 1 << 20;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum QmpError {
    /// QEMU said no.
    #[error("{0}")]
    Refused(String),
    /// QEMU is gone, or what it says is no QMP.
    #[error("the monitor is closed")]
    Closed,
    /// QEMU did not answer.
    #[error("the monitor did not answer within {} s", DEADLINE.as_secs())]
    Timeout,
    /// The command could not be sent.
    #[error("the monitor cannot be written to")]
    Io(#[from] io::Error),
}

/// Something that QEMU tells without being asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// QEMU is about to end, for this reason.
    Shutdown(String),
}

type Answer = Result<(), Refusal>;

/// Commands that wait for their answers; none once QEMU is gone.
type Pending = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<Answer>>>>>;

/// A connection to a monitor.
#[derive(Debug)]
pub(super) struct Client {
    writer: tokio::sync::Mutex<Writer>,
    pending: Pending,
}

#[derive(Debug)]
struct Writer {
    socket: OwnedWriteHalf,
    next: u64,
}

impl Client {
    /// Negotiates with the monitor at the other end of `socket`. `events` is closed when QEMU is gone.
    pub(super) async fn connect(
        socket: UnixStream,
        events: mpsc::UnboundedSender<Event>,
    ) -> Result<Self, QmpError> {
        let (reader, writer) = socket.into_split();
        let pending: Pending = Arc::new(Mutex::new(Some(HashMap::new())));
        tokio::spawn(read(reader, Arc::clone(&pending), events));
        let client = Self {
            writer: tokio::sync::Mutex::new(Writer {
                socket: writer,
                next: 0,
            }),
            pending,
        };
        // It may be sent before the greeting: QEMU reads it after that.
        client.execute(Command::Capabilities).await?;
        Ok(client)
    }

    /// Runs a command.
    pub(super) async fn execute(&self, command: Command) -> Result<(), QmpError> {
        timeout(DEADLINE, self.exchange(command))
            .await
            .map_err(|_| QmpError::Timeout)?
    }

    async fn exchange(&self, command: Command) -> Result<(), QmpError> {
        let (sender, answer) = oneshot::channel();
        {
            let mut writer = self.writer.lock().await;
            let id = writer.next;
            writer.next += 1;
            let mut line = serde_json::to_vec(&Request { command, id }).map_err(io::Error::from)?;
            line.push(b'\n');
            match &mut *lock(&self.pending) {
                Some(pending) => pending.insert(id, sender),
                None => return Err(QmpError::Closed),
            };
            writer.socket.write_all(&line).await?;
        }
        match answer.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(refusal)) => Err(QmpError::Refused(refusal.desc)),
            Err(_) => Err(QmpError::Closed),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn read(reader: OwnedReadHalf, pending: Pending, events: mpsc::UnboundedSender<Event>) {
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut reader).take(MAX_LINE).read_until(b'\n', &mut line).await {
            Ok(length) if length > 0 && line.ends_with(b"\n") => {}
            _ => break,
        }
        match message::parse(&line) {
            Ok(message) => dispatch(message, &pending, &events),
            Err(error) => {
                tracing::warn!(%error, "QEMU's monitor said something unknown");
            }
        }
    }
    lock(&pending).take();
}

fn dispatch(message: Message, pending: &Pending, events: &mpsc::UnboundedSender<Event>) {
    let answer = |id, answer| {
        if let Some(sender) = lock(pending).as_mut().and_then(|pending| pending.remove(&id)) {
            // Nobody waits any more when the deadline has passed.
            let _ = sender.send(answer);
        }
    };
    match message {
        Message::Greeting { .. } => {}
        Message::Return { id, .. } => answer(id, Ok(())),
        Message::Error { error, id: Some(id) } => answer(id, Err(error)),
        Message::Error { error, id: None } => tracing::warn!(error = error.desc, "QEMU's monitor complains"),
        Message::Event { event, data } => {
            tracing::debug!(event, "QEMU");
            if event == "SHUTDOWN" {
                let reason = data
                    .get("reason")
                    .and_then(|reason| reason.as_str())
                    .unwrap_or_default();
                // The machine's end may already be known.
                let _ = events.send(Event::Shutdown(reason.to_owned()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A monitor that greets and answers each line that it gets with the next of `answers`.
    fn monitor(
        mut socket: UnixStream,
        answers: &'static [&'static str],
    ) -> tokio::task::JoinHandle<Vec<String>> {
        tokio::spawn(async move {
            socket
                .write_all(b"{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n")
                .await
                .unwrap();
            let (reader, mut writer) = socket.split();
            let mut lines = BufReader::new(reader).lines();
            let mut seen = Vec::new();
            for answer in answers {
                seen.push(lines.next_line().await.unwrap().unwrap());
                writer.write_all(answer.as_bytes()).await.unwrap();
            }
            seen
        })
    }

    #[tokio::test]
    async fn commands_and_events() {
        let (near, far) = UnixStream::pair().unwrap();
        let monitor = monitor(
            far,
            &[
                "{\"return\": {}, \"id\": 0}\r\n",
                "{\"event\": \"STOP\", \"timestamp\": {}}\r\nno json\r\n{\"return\": {}, \"id\": 1}\r\n",
                "{\"id\": 2, \"error\": {\"class\": \"GenericError\", \"desc\": \"not now\"}}\r\n",
                "{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": true, \"reason\": \"guest-reset\"}}\r\n",
            ],
        );
        let (sender, mut events) = mpsc::unbounded_channel();
        let client = Client::connect(near, sender).await.unwrap();
        client.execute(Command::Stop).await.unwrap();
        let error = client.execute(Command::Continue).await.unwrap_err();
        assert_eq!(error.to_string(), "not now");
        assert!(matches!(
            client.execute(Command::Quit).await,
            Err(QmpError::Closed)
        ));
        assert_eq!(
            events.recv().await,
            Some(Event::Shutdown("guest-reset".to_owned()))
        );
        assert_eq!(events.recv().await, None);
        assert_eq!(monitor.await.unwrap()[3], r#"{"execute":"quit","id":3}"#);
        assert!(matches!(
            client.execute(Command::Quit).await,
            Err(QmpError::Closed)
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn a_monitor_that_is_silent_runs_into_the_deadline() {
        let (near, _far) = UnixStream::pair().unwrap();
        let (sender, _events) = mpsc::unbounded_channel();
        assert!(matches!(
            Client::connect(near, sender).await,
            Err(QmpError::Timeout)
        ));
    }

    #[tokio::test]
    async fn an_endless_line_closes_the_connection() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let (sender, mut events) = mpsc::unbounded_channel();
        let client = tokio::spawn(Client::connect(near, sender));
        let junk = vec![b'x'; 64 * 1024];
        for _ in 0..40 {
            if far.write_all(&junk).await.is_err() {
                break;
            }
        }
        assert!(matches!(client.await.unwrap(), Err(QmpError::Closed)));
        assert_eq!(events.recv().await, None);
    }
}

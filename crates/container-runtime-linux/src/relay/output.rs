//! One output stream of a process: from the guest to the log and to the client.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use container_client::stdio::NOBODY_READS;
use container_client::stdio_log::{LogWriter, Stream};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::FileType;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Bytes that may wait for a slow client before the guest is held back.
const CLIENT_QUEUE: u32 = 256 << 10;
/// The largest piece read at once.
const CHUNK: usize = 64 << 10;
/// How long a stream may stay silent after its process ended before it is given up: something else in the container
/// holds it open.
const SILENCE: Duration = Duration::from_secs(1);

/// Where an output stream goes.
#[derive(Debug, Default)]
pub(crate) struct Sinks {
    /// The container's log, shared by the init process's two streams.
    pub log: Option<(Arc<Mutex<LogWriter>>, Stream)>,
    /// The client's descriptor.
    pub client: Option<OwnedFd>,
}

/// An output stream on its way. Its two ends are waited for apart from each other, because a stalled client must not
/// keep a virtual machine alive whose process has ended.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    read: watch::Receiver<bool>,
    /// Whether each client has everything, those that came later too.
    written: Arc<Mutex<Vec<watch::Receiver<bool>>>>,
    attach: mpsc::UnboundedSender<Client>,
}

impl Output {
    /// Starts moving `stream` into `sinks`. After `exited` nothing is held back any more: what is left in the guest is
    /// bounded, and the virtual machine can stop as soon as it is read.
    pub(crate) fn forward(
        stream: impl AsyncRead + Unpin + Send + 'static,
        sinks: Sinks,
        exited: CancellationToken,
    ) -> Self {
        let (read_tx, read) = watch::channel(false);
        let (written_tx, written) = watch::channel(false);
        let client = sinks.client.and_then(|fd| Client::start(fd, written_tx));
        let (attach, attached) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            pump(stream, sinks.log, client, attached, exited).await;
            read_tx.send_replace(true);
        });
        Self {
            read,
            written: Arc::new(Mutex::new(vec![written])),
            attach,
        }
    }

    /// Gives `fd` what comes from now on, too. It may close at any time, which the process does not notice.
    pub(crate) fn attach(&self, fd: OwnedFd) {
        let (written_tx, written) = watch::channel(false);
        if let Some(client) = Client::start(fd, written_tx) {
            self.clients().push(written);
            // A stream that has ended leaves nothing to write.
            let _ = self.attach.send(client);
        }
    }

    fn clients(&self) -> MutexGuard<'_, Vec<watch::Receiver<bool>>> {
        self.written
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Resolves when the guest has nothing more to say.
    pub(crate) async fn read(&self) {
        // An error means that the sender is gone, which is as good as done.
        let _ = self.read.clone().wait_for(|done| *done).await;
    }

    /// Resolves when every client has everything.
    pub(crate) async fn written(&self) {
        let clients = self.clients().clone();
        for mut client in clients {
            let _ = client.wait_for(|done| *done).await;
        }
    }
}

async fn pump(
    mut stream: impl AsyncRead + Unpin,
    log: Option<(Arc<Mutex<LogWriter>>, Stream)>,
    mut client: Option<Client>,
    mut attached: mpsc::UnboundedReceiver<Client>,
    exited: CancellationToken,
) {
    let mut buffer = vec![0; CHUNK];
    let mut others: Vec<Client> = Vec::new();
    loop {
        let read = tokio::select! {
            read = stream.read(&mut buffer) => read,
            Some(client) = attached.recv() => {
                others.push(client);
                continue;
            }
            () = silence_after(&exited) => return,
        };
        let chunk = match read {
            Ok(0) | Err(_) => return,
            Ok(count) => &buffer[..count],
        };
        if let Some((log, stream)) = &log {
            append(log, *stream, chunk);
        }
        if let Some(sink) = &client
            && let Err(closed) = sink.send(chunk, &exited).await
        {
            // A reader that closed its pipe wants no more output, so the process gets the SIGPIPE that it would have
            // got outside of a container. Any other loss, such as a closed terminal, leaves the process alone.
            if closed.is_broken_pipe {
                return;
            }
            client = None;
        }
        let mut index = 0;
        while let Some(other) = others.get(index) {
            if other.send(chunk, &exited).await.is_err() {
                others.swap_remove(index);
            } else {
                index += 1;
            }
        }
    }
}

async fn silence_after(exited: &CancellationToken) {
    exited.cancelled().await;
    tokio::time::sleep(SILENCE).await;
}

fn append(log: &Mutex<LogWriter>, stream: Stream, chunk: &[u8]) {
    let mut log = log.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Err(error) = log.append(stream, chunk) {
        // The container goes on: its output still reaches the client.
        tracing::warn!(%error, "failed to write the container's log");
    }
}

/// A client's descriptor with the thread that writes to it.
#[derive(Debug)]
struct Client {
    queue: mpsc::UnboundedSender<Bytes>,
    room: Arc<Semaphore>,
    failure: Arc<Mutex<Option<Closed>>>,
}

#[derive(Debug, Clone, Copy)]
struct Closed {
    is_broken_pipe: bool,
}

impl Client {
    fn start(fd: OwnedFd, written: watch::Sender<bool>) -> Option<Self> {
        let (queue, mut chunks) = mpsc::unbounded_channel::<Bytes>();
        let room = Arc::new(Semaphore::new(CLIENT_QUEUE as usize));
        let failure = Arc::new(Mutex::new(None));
        let client = Self {
            queue,
            room: room.clone(),
            failure: failure.clone(),
        };
        let writer = move || {
            while let Some(chunk) = chunks.blocking_recv() {
                if let Err(error) = write_all(&fd, &chunk) {
                    let closed = Closed {
                        is_broken_pipe: has_enough(&fd, &error),
                    };
                    *failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(closed);
                    room.close();
                    break;
                }
                room.add_permits(chunk.len());
            }
            drop(fd);
            written.send_replace(true);
        };
        match thread::Builder::new()
            .name("output".to_owned())
            .stack_size(64 << 10)
            .spawn(writer)
        {
            Ok(_) => Some(client),
            Err(error) => {
                tracing::error!(%error, "failed to start a thread for the client's output");
                None
            }
        }
    }

    async fn send(&self, chunk: &[u8], exited: &CancellationToken) -> Result<(), Closed> {
        let size = u32::try_from(chunk.len())
            .unwrap_or(CLIENT_QUEUE)
            .min(CLIENT_QUEUE);
        tokio::select! {
            room = self.room.acquire_many(size) => match room {
                Ok(permit) => permit.forget(),
                Err(_) => return Err(self.closed()),
            },
            () = exited.cancelled() => {}
        }
        self.queue
            .send(Bytes::copy_from_slice(chunk))
            .map_err(|_| self.closed())
    }

    fn closed(&self) -> Closed {
        let failure = self
            .failure
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        failure.unwrap_or(Closed {
            is_broken_pipe: false,
        })
    }
}

/// Whether a failed write means that the reader has enough. The end of a pipe always does; a socket's end means that the
/// client has gone, as when it was killed, unless it said otherwise.
fn has_enough(fd: &OwnedFd, error: &io::Error) -> bool {
    let kind = rustix::fs::fstat(fd).map(|stat| FileType::from_raw_mode(stat.st_mode));
    if kind != Ok(FileType::Socket) {
        return error.kind() == io::ErrorKind::BrokenPipe;
    }
    // What the client wrote before it closed the socket is still there; nothing is waited for.
    let mut last = [0; 1];
    let said = poll(
        &mut [PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)],
        Some(&Timespec::default()),
    );
    said.is_ok_and(|ready| ready > 0)
        && rustix::io::read(fd, &mut last).is_ok_and(|count| last[..count] == [NOBODY_READS])
}

/// Writes everything, also to a descriptor that somebody has made non-blocking.
fn write_all(fd: &OwnedFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(fd, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) => {
                poll(&mut [PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::OUT)], None)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};

    use container_client::stdio_log::{Limits, LogReader};
    use tokio::io::AsyncWriteExt;

    use super::*;

    fn pipe() -> io::Result<(File, OwnedFd)> {
        let (reader, writer) = rustix::pipe::pipe()?;
        Ok((reader.into(), writer))
    }

    #[tokio::test]
    async fn reaches_log_and_client() -> io::Result<()> {
        let (mut reader, writer) = pipe()?;
        let directory = tempfile::tempdir()?;
        let log = LogWriter::begin(directory.path(), Limits::default(), false)?;
        let sinks = Sinks {
            log: Some((Arc::new(Mutex::new(log)), Stream::Stderr)),
            client: Some(writer),
        };
        let (mut guest, stream) = tokio::io::duplex(16);
        let output = Output::forward(stream, sinks, CancellationToken::new());
        guest.write_all(b"hello world, longer than the pipe").await?;
        drop(guest);
        output.read().await;
        output.written().await;
        let mut text = String::new();
        reader.read_to_string(&mut text)?;
        assert_eq!(text, "hello world, longer than the pipe");
        let mut log = LogReader::new(File::open(directory.path())?.into());
        let mut logged = Vec::new();
        while let Some(record) = log.next_record()? {
            assert_eq!(record.stream, Stream::Stderr);
            logged.extend_from_slice(record.text);
        }
        assert_eq!(logged, text.as_bytes());
        Ok(())
    }

    #[tokio::test]
    async fn a_stalled_client_holds_the_guest_back_until_the_exit() -> io::Result<()> {
        let (mut reader, writer) = pipe()?;
        let exited = CancellationToken::new();
        let (mut guest, stream) = tokio::io::duplex(CHUNK);
        let output = Output::forward(
            stream,
            Sinks {
                log: None,
                client: Some(writer),
            },
            exited.clone(),
        );
        let piece = vec![7; CHUNK];
        let mut accepted = 0;
        while let Ok(result) = tokio::time::timeout(Duration::from_millis(200), guest.write_all(&piece)).await
        {
            result?;
            accepted += piece.len();
            assert!(accepted < 4 << 20, "nothing holds the guest back");
        }
        exited.cancel();
        drop(guest);
        output.read().await;
        let reading = thread::spawn(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).map(|_| all.len())
        });
        output.written().await;
        let received = reading.join().map_err(|_| io::Error::other("reader"))??;
        assert!(received >= accepted, "{received} of {accepted}");
        Ok(())
    }

    #[tokio::test]
    async fn one_that_attaches_gets_the_rest_and_may_leave() -> io::Result<()> {
        let (mut guest, stream) = tokio::io::duplex(16);
        let output = Output::forward(stream, Sinks::default(), CancellationToken::new());
        let ((mut stays, stays_writer), (leaves, leaves_writer)) = (pipe()?, pipe()?);
        drop(leaves);
        output.attach(leaves_writer);
        output.attach(stays_writer);
        guest.write_all(b"longer than what the stream holds, ").await?;
        guest.write_all(b"in two pieces").await?;
        drop(guest);
        output.read().await;
        output.written().await;
        let mut text = String::new();
        stays.read_to_string(&mut text)?;
        assert!(
            "longer than what the stream holds, in two pieces".ends_with(&text),
            "{text}"
        );
        assert!(text.ends_with("in two pieces"), "{text}");
        // Too late for anything.
        let (mut late, late_writer) = pipe()?;
        output.attach(late_writer);
        output.written().await;
        assert_eq!(late.read(&mut [0; 1])?, 0);
        Ok(())
    }

    #[tokio::test]
    async fn a_closed_pipe_closes_the_stream() -> io::Result<()> {
        let (reader, writer) = pipe()?;
        drop(reader);
        let (mut guest, stream) = tokio::io::duplex(CHUNK);
        let output = Output::forward(
            stream,
            Sinks {
                log: None,
                client: Some(writer),
            },
            CancellationToken::new(),
        );
        let piece = vec![0; CHUNK];
        let mut failed = false;
        for _ in 0..100 {
            failed = guest.write_all(&piece).await.is_err();
            if failed {
                break;
            }
            tokio::task::yield_now().await;
        }
        assert!(failed);
        output.read().await;
        Ok(())
    }

    /// How much of what the guest writes is taken when the client's end of its socket is closed.
    async fn taken_after(close: impl FnOnce(std::os::unix::net::UnixStream)) -> io::Result<bool> {
        let (command, socket) = std::os::unix::net::UnixStream::pair()?;
        close(command);
        let (mut guest, stream) = tokio::io::duplex(CHUNK);
        let sinks = Sinks {
            log: None,
            client: Some(socket.into()),
        };
        let output = Output::forward(stream, sinks, CancellationToken::new());
        let piece = vec![0; CHUNK];
        let mut all = true;
        for _ in 0..100 {
            all = guest.write_all(&piece).await.is_ok();
            if !all {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(guest);
        output.read().await;
        Ok(all)
    }

    #[tokio::test]
    async fn a_command_that_has_gone_leaves_the_stream_open() -> io::Result<()> {
        assert!(taken_after(drop).await?);
        Ok(())
    }

    #[tokio::test]
    async fn a_command_whose_reader_has_enough_closes_the_stream() -> io::Result<()> {
        let all = taken_after(|mut command| {
            // The answer to a socket that is closed with something in it differs.
            let _ = command.write_all(&[NOBODY_READS]);
        })
        .await?;
        assert!(!all);
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_stream_is_given_up_after_the_exit() {
        let exited = CancellationToken::new();
        let (_held_open, stream) = tokio::io::duplex(16);
        let output = Output::forward(stream, Sinks::default(), exited.clone());
        exited.cancel();
        output.read().await;
    }
}

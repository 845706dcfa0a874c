//! Standard input, output and error of a process: streams to ports of the host, copied from and to pipes
//! or a terminal.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::pipe::PipeFlags;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use crate::error::{Context, Result};
use crate::readiness::watch;
use crate::transport::{Stream, Transport};

/// Bytes that one copy moves at a time: a pipe's capacity.
const CHUNK: usize = 64 * 1024;

/// Host ports of a process's streams.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ports {
    pub(crate) stdin: Option<u32>,
    pub(crate) stdout: Option<u32>,
    pub(crate) stderr: Option<u32>,
}

/// Streams to the host, connected before the process starts.
#[derive(Debug)]
pub(super) struct Streams {
    stdin: Option<Stream>,
    stdout: Option<Stream>,
    stderr: Option<Stream>,
}

impl Streams {
    /// Dials the host, which is listening already.
    pub(super) async fn connect(transport: &Transport, ports: Ports) -> Result<Self> {
        let dial = async |port: Option<u32>| match port {
            None => Ok(None),
            Some(port) => transport
                .connect(port)
                .await
                .map(Some)
                .context(|| format!("failed to connect to host port {port}")),
        };
        let (stdin, stdout, stderr) =
            tokio::try_join!(dial(ports.stdin), dial(ports.stdout), dial(ports.stderr))?;
        Ok(Self {
            stdin,
            stdout,
            stderr,
        })
    }

    /// Makes the descriptors that the process starts with.
    pub(super) fn prepare(self, terminal: bool) -> Result<(ChildFds, Prepared)> {
        let make = || -> io::Result<(ChildFds, Prepared)> {
            let null = || -> io::Result<OwnedFd> {
                let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOCTTY;
                Ok(rustix::fs::openat(CWD, "/dev/null", flags, Mode::empty())?)
            };
            if terminal {
                let fds = ChildFds([null()?, null()?, null()?]);
                return Ok((
                    fds,
                    Prepared::Terminal {
                        stdin: self.stdin,
                        stdout: self.stdout,
                    },
                ));
            }
            let mut copies = Vec::new();
            let stdin = match self.stdin {
                None => null()?,
                Some(stream) => {
                    let (theirs, ours) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
                    copies.push(Copy::In(stream, ours));
                    theirs
                }
            };
            let mut output = |stream: Option<Stream>| match stream {
                None => null(),
                Some(stream) => {
                    let (ours, theirs) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
                    copies.push(Copy::Out(stream, ours));
                    Ok(theirs)
                }
            };
            let fds = ChildFds([stdin, output(self.stdout)?, output(self.stderr)?]);
            Ok((fds, Prepared::Pipes(copies)))
        };
        make().context(|| "failed to prepare standard input and output".into())
    }
}

/// The process's descriptors 0 to 2.
#[derive(Debug)]
pub(super) struct ChildFds([OwnedFd; 3]);

impl ChildFds {
    pub(super) fn borrow(&self) -> [BorrowedFd<'_>; 3] {
        [self.0[0].as_fd(), self.0[1].as_fd(), self.0[2].as_fd()]
    }
}

/// One direction to copy, with the agent's end of the pipe.
#[derive(Debug)]
pub(super) enum Copy {
    In(Stream, OwnedFd),
    Out(Stream, OwnedFd),
    /// Output of a terminal, whose other side stays open as long as the process.
    Screen(Stream, OwnedFd),
}

/// The agent's side, before the process runs.
#[derive(Debug)]
pub(super) enum Prepared {
    Pipes(Vec<Copy>),
    Terminal {
        stdin: Option<Stream>,
        stdout: Option<Stream>,
    },
}

/// The agent's side of a running process.
#[derive(Debug)]
pub(super) struct Stdio {
    terminal: Option<OwnedFd>,
    close_stdin: CancellationToken,
    stop: CancellationToken,
}

impl Prepared {
    /// Starts copying. `terminal` is the agent's side of the terminal that the launcher opened.
    pub(super) fn start(self, terminal: Option<OwnedFd>) -> io::Result<Stdio> {
        let (close_stdin, stop) = (CancellationToken::new(), CancellationToken::new());
        let copies = match self {
            Self::Pipes(copies) => copies,
            Self::Terminal { stdin, stdout } => {
                let master = terminal
                    .as_ref()
                    .ok_or_else(|| io::Error::other("the launcher opened no terminal"))?;
                let input = stdin
                    .map(|stream| master.try_clone().map(|fd| Copy::In(stream, fd)))
                    .transpose()?;
                let output = stdout
                    .map(|stream| master.try_clone().map(|fd| Copy::Screen(stream, fd)))
                    .transpose()?;
                input.into_iter().chain(output).collect()
            }
        };
        for copy in copies {
            let (close_stdin, stop) = (close_stdin.clone(), stop.clone());
            match copy {
                Copy::In(stream, fd) => tokio::spawn(copy_in(stream, Pollable::new(fd)?, close_stdin)),
                Copy::Out(stream, fd) => tokio::spawn(copy_out(Pollable::new(fd)?, stream, false, stop)),
                Copy::Screen(stream, fd) => tokio::spawn(copy_out(Pollable::new(fd)?, stream, true, stop)),
            };
        }
        Ok(Stdio {
            terminal,
            close_stdin,
            stop,
        })
    }
}

impl Stdio {
    /// Ends the process's standard input, behind everything that has arrived.
    pub(super) fn close_stdin(&self) {
        self.close_stdin.cancel();
    }

    /// The agent's side of the process's terminal.
    pub(super) fn terminal(&self) -> Option<&OwnedFd> {
        self.terminal.as_ref()
    }
}

impl Drop for Stdio {
    fn drop(&mut self) {
        self.close_stdin.cancel();
        self.stop.cancel();
    }
}

/// From the host to the process, until the host ends the stream or nobody reads any more.
async fn copy_in(mut stream: Stream, mut pipe: Pollable, close: CancellationToken) {
    let mut buffer = vec![0; CHUNK];
    loop {
        // What has arrived is delivered even when the end has been asked for.
        let amount = tokio::select! {
            biased;
            read = stream.read(&mut buffer) => match read {
                Ok(0) | Err(_) => return,
                Ok(amount) => amount,
            },
            () = close.cancelled() => return,
        };
        if pipe.write_all(&buffer[..amount]).await.is_err() {
            return;
        }
    }
}

/// From the process to the host, until nobody writes any more. When the host closes the stream, the process is to see
/// a closed pipe; what it writes to a terminal, which has no such end, is thrown away.
async fn copy_out(mut pipe: Pollable, mut stream: Stream, is_terminal: bool, stop: CancellationToken) {
    let mut buffer = vec![0; CHUNK];
    let mut connected = true;
    loop {
        let amount = tokio::select! {
            biased;
            read = pipe.read(&mut buffer) => match read {
                // A terminal reports that its other side is closed as an error.
                Ok(0) | Err(_) => break,
                Ok(amount) => amount,
            },
            () = stop.cancelled() => break,
        };
        if connected {
            connected = tokio::select! {
                written = stream.write_all(&buffer[..amount]) => written.is_ok(),
                () = stop.cancelled() => break,
            };
        }
        if !connected && !is_terminal {
            return;
        }
    }
    let _ = stream.shutdown().await;
}

/// A pipe or terminal whose readiness the runtime waits for.
#[derive(Debug)]
struct Pollable(AsyncFd<OwnedFd>);

impl Pollable {
    fn new(fd: OwnedFd) -> io::Result<Self> {
        Ok(Self(watch(fd)?))
    }

    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut ready = self.0.readable().await?;
            if let Ok(result) = ready.try_io(|fd| Ok(rustix::io::read(fd, &mut *buffer)?)) {
                return result;
            }
        }
    }

    async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let mut ready = self.0.writable().await?;
            if let Ok(result) = ready.try_io(|fd| Ok(rustix::io::write(fd, bytes)?)) {
                bytes = &bytes[result?..];
            }
        }
        Ok(())
    }
}

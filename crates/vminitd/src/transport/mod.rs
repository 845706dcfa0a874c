//! Streams between guest and host, addressed by port.
//!
//! A host with vsock is reached over vsock. One without gives the virtual machine a virtio-serial port,
//! which carries many streams with [`container_mux`]. Everything above this module is the same for both.

mod vsock;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use container_mux::{Mux, Side, guest};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Name of the virtio-serial port, which the host gives it.
pub const SERIAL_PORT: &str = "container.agent";

/// The way to the host. Clones share it.
#[derive(Debug, Clone)]
pub enum Transport {
    /// Streams of one serial port.
    Mux(Mux),
    /// Sockets of the kernel.
    Vsock,
}

impl Transport {
    /// Finds the way that this virtual machine has. Waits for a device that the kernel has not found yet.
    ///
    /// # Errors
    /// A serial port that cannot be opened.
    pub async fn find() -> io::Result<Self> {
        if vsock::is_available() && !has_serial_port() {
            return Ok(Self::Vsock);
        }
        Ok(Self::over(guest::open_port(SERIAL_PORT).await?))
    }

    /// Streams over one stream whose other end is the host.
    pub fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self::Mux(Mux::new(stream, Side::Guest))
    }

    /// Connects to a port of the host.
    ///
    /// # Errors
    /// Nobody listens there.
    pub async fn connect(&self, port: u32) -> io::Result<Stream> {
        match self {
            Self::Mux(mux) => Ok(Stream::Mux(mux.connect(port).await?)),
            Self::Vsock => Ok(Stream::Vsock(
                vsock::Stream::connect(libc::VMADDR_CID_HOST, port).await?,
            )),
        }
    }

    /// Listens on a port of the guest.
    ///
    /// # Errors
    /// Somebody listens there already.
    pub fn listen(&self, port: u32) -> io::Result<Listener> {
        match self {
            Self::Mux(mux) => Ok(Listener::Mux(mux.listen(port)?)),
            Self::Vsock => Ok(Listener::Vsock(vsock::Listener::bind(port)?)),
        }
    }

    /// Resolves when the host cannot be reached any more, with the reason. A vsock device never ends.
    pub async fn closed(&self) -> String {
        match self {
            Self::Mux(mux) => mux.closed().await.to_string(),
            Self::Vsock => std::future::pending().await,
        }
    }
}

/// Whether the kernel has found the serial port.
fn has_serial_port() -> bool {
    let ports = std::fs::read_dir("/sys/class/virtio-ports")
        .into_iter()
        .flatten()
        .flatten();
    let names = ports.filter_map(|port| std::fs::read_to_string(port.path().join("name")).ok());
    names.into_iter().any(|name| name.trim_end() == SERIAL_PORT)
}

/// Accepts streams on one port.
#[derive(Debug)]
pub enum Listener {
    /// Of a serial port.
    Mux(container_mux::Listener),
    /// Of the kernel.
    Vsock(vsock::Listener),
}

impl Listener {
    /// The next stream. May be cancelled without losing one.
    ///
    /// # Errors
    /// The way to the host is gone.
    pub async fn accept(&mut self) -> io::Result<Stream> {
        match self {
            Self::Mux(listener) => Ok(Stream::Mux(listener.accept().await?)),
            Self::Vsock(listener) => Ok(Stream::Vsock(listener.accept().await?)),
        }
    }
}

/// A stream to the host, whose directions end one by one.
#[derive(Debug)]
pub enum Stream {
    /// Of a serial port.
    Mux(container_mux::Stream),
    /// Of the kernel.
    Vsock(vsock::Stream),
}

/// Passes a call on to whichever stream it is.
macro_rules! delegate {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Self::Mux(inner) => {
                let $stream = Pin::new(inner);
                $call
            }
            Self::Vsock(inner) => {
                let $stream = Pin::new(inner);
                $call
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        delegate!(self, stream => stream.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        delegate!(self, stream => stream.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => stream.poll_shutdown(cx))
    }
}

impl tonic::transport::server::Connected for Stream {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

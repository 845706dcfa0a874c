use std::io;
use std::sync::Arc;

use crate::frame::FrameError;

/// Why the link as a whole is over.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LinkError {
    /// The byte stream under the link ended.
    #[error("the peer closed the link")]
    PeerClosed,
    /// Reading the byte stream under the link failed.
    #[error("reading the link failed")]
    Io(#[source] Arc<io::Error>),
    /// The peer sent bytes that are no frame.
    #[error("the peer broke the protocol")]
    Protocol(#[from] FrameError),
    /// Both ends took the same side.
    #[error("both ends of the link are the same side")]
    SameSide,
    /// The peer speaks another version of the protocol.
    #[error("the peer speaks version {0} of the protocol")]
    Version(u16),
    /// Everything on this end was dropped.
    #[error("the link was closed on this end")]
    Dropped,
}

/// Why a stream or a listener could not be had.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Nobody listens on that port, or too many connections wait there.
    #[error("connection to port {0} refused")]
    Refused(u32),
    /// The peer reset the stream before it was open.
    #[error("connection to port {0} reset")]
    Reset(u32),
    /// This end listens on that port already.
    #[error("port {0} is in use")]
    PortInUse(u32),
    /// This end has [`MAX_STREAMS`](crate::MAX_STREAMS) streams open.
    #[error("too many streams")]
    TooManyStreams,
    /// The link is over.
    #[error(transparent)]
    Link(#[from] LinkError),
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Refused(_) => io::ErrorKind::ConnectionRefused,
            Error::Reset(_) => io::ErrorKind::ConnectionReset,
            Error::PortInUse(_) => io::ErrorKind::AddrInUse,
            Error::TooManyStreams => io::ErrorKind::QuotaExceeded,
            Error::Link(_) => io::ErrorKind::NotConnected,
        };
        Self::new(kind, error)
    }
}

//! Copying between two TCP connections.
//!
//! The end of one direction, a half-close, is passed on and leaves the other one alone; a connection that is reset
//! resets the other. What one side does not read is not read from the other.

use std::io;
use std::net::Shutdown;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::time;

/// Bytes of a direction's buffer in which little is sent.
const SMALL: usize = 16 << 10;
/// Bytes of a direction's buffer in which a lot is sent. Pages spliced through a pipe cost as much as copies through
/// this, and three times the descriptors.
const LARGE: usize = 256 << 10;
/// So many full buffers in a row are a lot.
const A_LOT: u32 = 4;
/// How long the large buffer is kept while nothing comes.
const PAUSE: Duration = Duration::from_secs(1);

/// Copies both ways until both have ended.
pub(crate) async fn join(one: &TcpStream, other: &TcpStream) {
    // Either side may break off at any time, which is no failure.
    if tokio::try_join!(pump(one, other), pump(other, one)).is_err() {
        reset(one);
        reset(other);
    }
}

/// Makes the end of a connection a reset.
pub(crate) fn reset(connection: &TcpStream) {
    // One that is gone already needs none.
    let _ = SockRef::from(connection).set_linger(Some(Duration::ZERO));
}

async fn pump(from: &TcpStream, to: &TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; SMALL];
    let mut full = 0;
    loop {
        let count = if buffer.len() == LARGE {
            let Ok(count) = time::timeout(PAUSE, read(from, &mut buffer)).await else {
                buffer = vec![0; SMALL];
                continue;
            };
            count?
        } else {
            read(from, &mut buffer).await?
        };
        if count == 0 {
            return SockRef::from(to).shutdown(Shutdown::Write);
        }
        write(to, &buffer[..count]).await?;
        full = if count == buffer.len() { full + 1 } else { 0 };
        if full == A_LOT && buffer.len() == SMALL {
            buffer = vec![0; LARGE];
        }
    }
}

/// Reads what is there, waiting for something; nothing is the end.
async fn read(from: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        from.readable().await?;
        match from.try_read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return result,
        }
    }
}

async fn write(to: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        to.writable().await?;
        match to.try_write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => bytes = &bytes[result?..],
        }
    }
    Ok(())
}

//! Asking the host's name servers.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout, timeout_at};

use crate::wire;

/// How long one server may take. Whoever asks gives up after five seconds as a rule, and there may be three servers.
const PATIENCE: Duration = Duration::from_millis(1500);
/// How long all of them together may take.
const TOTAL: Duration = Duration::from_millis(4500);
/// How often each is asked.
const ROUNDS: usize = 2;
/// The largest message in bytes.
const LARGEST: usize = 65535;

/// How a question came, and goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Udp,
    Tcp,
}

/// The answer of the first server that has one; of the last that refused, if none has.
pub(crate) async fn forward(
    question: &[u8],
    servers: &[SocketAddr],
    transport: Transport,
) -> Option<Vec<u8>> {
    let end = Instant::now() + TOTAL;
    let mut refusal = None;
    for server in (0..ROUNDS).flat_map(|_| servers) {
        let asked = async {
            match transport {
                Transport::Udp => over_udp(question, *server).await,
                Transport::Tcp => over_tcp(question, *server).await,
            }
        };
        let patience = (Instant::now() + PATIENCE).min(end);
        match timeout_at(patience, asked).await {
            Ok(Ok(response)) if wire::is_refusal(&response) => refusal = Some(response),
            Ok(Ok(response)) => return Some(response),
            Ok(Err(error)) => tracing::debug!(%server, %error, "a name server cannot be asked"),
            Err(_) => tracing::debug!(%server, "a name server does not answer"),
        }
        if Instant::now() >= end {
            break;
        }
    }
    refusal
}

/// Asks from a port of its own, which nobody can guess.
async fn over_udp(question: &[u8], server: SocketAddr) -> io::Result<Vec<u8>> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut buffer = vec![0; LARGEST];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if wire::answers(question, &buffer[..length]) {
            return Ok(buffer[..length].to_vec());
        }
    }
}

async fn over_tcp(question: &[u8], server: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    write_message(&mut stream, question).await?;
    let response = read_message(&mut stream).await?;
    match wire::answers(question, &response) {
        true => Ok(response),
        false => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Writes a message with its length before it.
pub(crate) async fn write_message(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidData)?;
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend(message);
    stream.write_all(&bytes).await
}

/// Reads a message with its length before it.
pub(crate) async fn read_message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    let mut message = vec![0; length.into()];
    timeout(PATIENCE, stream.read_exact(&mut message)).await??;
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTION: [u8; 19] = [1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'w', 0, 0, 1, 0, 1];

    /// A name server that answers everything with this code, or not at all.
    async fn server(code: Option<u8>) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
                if let Some(code) = code {
                    // An answer to another question comes first.
                    let mut reply = buffer[..length].to_vec();
                    reply[2] |= 0x80;
                    reply[0] ^= 1;
                    socket.send_to(&reply, peer).await.unwrap();
                    reply[0] ^= 1;
                    reply[3] = 0x80 | code;
                    socket.send_to(&reply, peer).await.unwrap();
                }
            }
        });
        address
    }

    async fn code(servers: &[SocketAddr]) -> Option<u8> {
        let response = forward(&QUESTION, servers, Transport::Udp).await?;
        assert_eq!(response[..2], QUESTION[..2]);
        Some(response[3] & 15)
    }

    #[tokio::test]
    async fn the_next_server_is_asked_when_one_refuses_or_is_silent() {
        let (silent, refuses, nobody) = (server(None).await, server(Some(5)).await, server(Some(3)).await);
        let closed = UdpSocket::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap();
        assert_eq!(code(&[closed, refuses, nobody]).await, Some(3));
        assert_eq!(code(&[silent, nobody]).await, Some(3));
        assert_eq!(code(&[refuses]).await, Some(5));
        assert_eq!(code(&[]).await, None);
        let started = Instant::now();
        assert_eq!(code(&[silent, silent, silent]).await, None);
        assert!(started.elapsed() < TOTAL + Duration::from_secs(1));
    }

    #[tokio::test]
    async fn questions_over_tcp_go_on_over_tcp() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut reply = read_message(&mut stream).await.unwrap();
            reply[2] |= 0x80;
            reply.resize(3000, 0);
            write_message(&mut stream, &reply).await.unwrap();
        });
        let response = forward(&QUESTION, &[address], Transport::Tcp).await.unwrap();
        assert_eq!(response.len(), 3000);
    }
}

//! Ports in front of a server that the host reaches itself.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use container_resource::PublishPort;
use container_resource::network::PublishProtocol;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::time::timeout;

use super::*;

const LIMIT: Duration = Duration::from_secs(30);
const TARGET: Target = Target {
    ipv4: Ipv4Addr::LOCALHOST,
    ipv6: Some(Ipv6Addr::LOCALHOST),
};

/// A free port at `host` in front of `container_port`.
fn publish(host: &str, container_port: u16, proto: PublishProtocol) -> PublishPort {
    PublishPort {
        host_address: host.to_owned(),
        host_port: 0,
        container_port,
        proto,
        count: 1,
    }
}

/// Forwards to a listener of this process.
fn in_front_of(address: SocketAddr, proto: PublishProtocol) -> (Forwarding, SocketAddr) {
    let host = address.ip().to_string();
    let ports = Ports::bind(&[publish(&host, address.port(), proto)]).expect("a free port");
    let chosen = ports.published()[0].host_port;
    assert_ne!(chosen, 0);
    let forwarding = ports.serve(TARGET, Direct).expect("forwarding");
    (forwarding, SocketAddr::new(address.ip(), chosen))
}

async fn tcp_server() -> (TcpListener, Forwarding, SocketAddr) {
    let server = TcpListener::bind("127.0.0.1:0").await.expect("a server");
    let address = server.local_addr().expect("its address");
    let (forwarding, port) = in_front_of(address, PublishProtocol::Tcp);
    (server, forwarding, port)
}

#[tokio::test]
async fn half_closed_connections_go_on() {
    let (server, forwarding, port) = tcp_server().await;
    let work = async {
        let mut client = TcpStream::connect(port).await.expect("connected");
        let (mut accepted, _) = server.accept().await.expect("accepted");
        client.write_all(b"question").await.expect("sent");
        client.shutdown().await.expect("half closed");
        let mut question = String::new();
        accepted
            .read_to_string(&mut question)
            .await
            .expect("read to the end");
        assert_eq!(question, "question");
        // More than any buffer on the way holds: the other direction is alive after the end of the first.
        let answer = vec![7; 8 << 20];
        let (sent, received) = tokio::join!(
            async {
                accepted.write_all(&answer).await.expect("sent");
                drop(accepted);
            },
            async {
                let mut received = Vec::new();
                client.read_to_end(&mut received).await.expect("read to the end");
                received
            }
        );
        let () = sent;
        assert_eq!(received.len(), answer.len());
        assert!(received == answer, "the same bytes in the same order");
    };
    timeout(LIMIT, work).await.expect("in time");
    forwarding.end().await;
    assert!(TcpListener::bind(port).await.is_ok(), "the port is free again");
}

#[tokio::test]
async fn resets_are_passed_on_and_nobody_listening_is_one() {
    let (server, _forwarding, port) = tcp_server().await;
    let work = async {
        let mut client = TcpStream::connect(port).await.expect("connected");
        let (accepted, _) = server.accept().await.expect("accepted");
        accepted.set_zero_linger().expect("linger");
        drop(accepted);
        let error = client.read_u8().await.expect_err("reset");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);

        let client = TcpStream::connect(port).await.expect("connected");
        let (mut accepted, _) = server.accept().await.expect("accepted");
        client.set_zero_linger().expect("linger");
        drop(client);
        let error = accepted.read_u8().await.expect_err("reset");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);

        drop(server);
        let mut client = TcpStream::connect(port).await.expect("connected");
        let error = client.read_u8().await.expect_err("reset");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    };
    timeout(LIMIT, work).await.expect("in time");
}

#[tokio::test]
async fn who_does_not_read_is_not_written_to() {
    let (server, _forwarding, port) = tcp_server().await;
    let work = async {
        let mut client = TcpStream::connect(port).await.expect("connected");
        let (_accepted, _) = server.accept().await.expect("accepted");
        let chunk = vec![0; 1 << 20];
        let mut sent = 0_usize;
        // What fits into buffers goes; then the client has to wait.
        while let Ok(count) = timeout(Duration::from_millis(500), client.write(&chunk)).await {
            sent += count.expect("sent");
            assert!(sent < 256 << 20, "{sent} bytes, and nobody reads them");
        }
    };
    timeout(LIMIT, work).await.expect("in time");
}

#[tokio::test]
async fn a_thousand_connections_at_once() {
    raise_descriptor_limit();
    let (server, _forwarding, port) = tcp_server().await;
    let echo = async {
        let mut sessions = JoinSet::new();
        while let Ok((mut stream, _)) = server.accept().await {
            sessions.spawn(async move {
                let (mut reader, mut writer) = stream.split();
                tokio::io::copy(&mut reader, &mut writer).await.map(drop)
            });
        }
    };
    let work = async {
        let mut clients = Vec::new();
        for _ in 0..1000 {
            clients.push(TcpStream::connect(port).await.expect("connected"));
        }
        for (number, client) in (0_u32..).zip(&mut clients) {
            client.write_u32(number).await.expect("sent");
        }
        for (number, client) in (0_u32..).zip(&mut clients) {
            assert_eq!(client.read_u32().await.expect("answered"), number);
        }
    };
    tokio::select! {
        () = echo => panic!("the server ended"),
        done = timeout(LIMIT, work) => done.expect("in time"),
    }
}

#[tokio::test]
async fn datagrams_find_their_clients() {
    for host in ["127.0.0.1", "::1"] {
        let server = UdpSocket::bind((host, 0)).await.expect("a server");
        let address = server.local_addr().expect("its address");
        let (_forwarding, port) = in_front_of(address, PublishProtocol::Udp);
        let work = async {
            let mut clients = Vec::new();
            for n in 0..3_u8 {
                let client = UdpSocket::bind((host, 0)).await.expect("a client");
                client.connect(port).await.expect("connected");
                client.send(&[n]).await.expect("sent");
                clients.push(client);
            }
            let mut buffer = [0; 16];
            for _ in 0..3 {
                let (count, from) = server.recv_from(&mut buffer).await.expect("received");
                let answer = [buffer[..count].to_vec(), vec![9]].concat();
                server.send_to(&answer, from).await.expect("answered");
            }
            for (n, client) in (0..3_u8).zip(&clients) {
                let count = client.recv(&mut buffer).await.expect("received");
                assert_eq!(buffer[..count], [n, 9]);
            }
        };
        timeout(LIMIT, work).await.expect("in time");
    }
}

#[tokio::test]
async fn answers_come_from_the_address_that_was_asked() {
    // No packet is sent: connecting only chooses an address.
    let own = UdpSocket::bind("0.0.0.0:0").await.expect("a socket");
    let own = match own.connect("198.51.100.1:9").await {
        Ok(()) => vec![own.local_addr().expect("its address").ip()],
        // A host without a network has its loopback alone.
        Err(_) => Vec::new(),
    };
    let asked: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv4Addr::new(127, 0, 0, 2).into()];
    let ipv4 = asked.into_iter().chain(own).map(|asked| ("0.0.0.0", asked));
    for (host, asked) in ipv4.chain([("::", Ipv6Addr::LOCALHOST.into())]) {
        let loopback = if asked.is_ipv6() { "::1" } else { "127.0.0.1" };
        let server = UdpSocket::bind((loopback, 0)).await.expect("a server");
        let inner = server.local_addr().expect("its address").port();
        let ports = Ports::bind(&[publish(host, inner, PublishProtocol::Udp)]).expect("a free port");
        let port = ports.published()[0].host_port;
        let _forwarding = ports.serve(TARGET, Direct).expect("forwarding");
        let work = async {
            // The way back to this address begins with the same one.
            let client = UdpSocket::bind((loopback, 0)).await.expect("a client");
            client.connect((asked, port)).await.expect("connected");
            client.send(b"question").await.expect("sent");
            let mut buffer = [0; 16];
            let (_, from) = server.recv_from(&mut buffer).await.expect("received");
            server.send_to(b"answer", from).await.expect("answered");
            let count = client.recv(&mut buffer).await.expect("received");
            assert_eq!(&buffer[..count], b"answer");
        };
        timeout(LIMIT, work)
            .await
            .unwrap_or_else(|_| panic!("no answer from {asked}"));
    }
}

#[tokio::test]
async fn what_cannot_be_bound_is_named_and_leaves_nothing() {
    let taken = TcpSocket::new_v4().expect("a socket");
    taken
        .bind("127.0.0.1:0".parse().expect("an address"))
        .expect("bound");
    let taken = taken.listen(1).expect("listening");
    let port = taken.local_addr().expect("its address").port();
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let free_port = free.local_addr().expect("its address").port();
    drop(free);

    let fixed = |host: &str, host_port| PublishPort {
        host_port,
        ..publish(host, 80, PublishProtocol::Tcp)
    };
    let text = |ports: &[PublishPort]| Ports::bind(ports).expect_err("taken").to_string();
    assert_eq!(
        text(&[fixed("127.0.0.1", free_port), fixed("127.0.0.1", port)]),
        format!(
            "host port 127.0.0.1:{port}/tcp is already in use: stop what uses it, or publish another one"
        )
    );
    assert!(TcpListener::bind(("127.0.0.1", free_port)).await.is_ok());
    assert_eq!(
        text(&[fixed("192.0.2.1", free_port)]),
        format!("cannot listen on 192.0.2.1:{free_port}/tcp: this host does not have the address")
    );
}

#[tokio::test]
async fn an_ipv6_port_needs_an_ipv6_address() {
    let ports = Ports::bind(&[publish("::", 81, PublishProtocol::Tcp)]).expect("a port");
    let unknown = Target { ipv6: None, ..TARGET };
    assert_eq!(
        ports.serve(unknown, Direct).expect_err("no address").to_string(),
        "cannot configure IPv6 port forwarding for container with unknown IPv6 address"
    );
}

//! `--publish`: ports of the host that lead to a container.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use container_tests::{System, eventually, signal, static_program};

/// How long anything may take; emulation is slow.
const LIMIT: Duration = Duration::from_secs(60);

/// A port that nothing uses at this moment.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

fn connect(address: &str) -> std::io::Result<TcpStream> {
    let address: SocketAddr = address.parse().expect("an address");
    let stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    Ok(stream)
}

/// What a server answers to `question`. Only HTTP's has an end of its own; that of another is a half-close, which
/// busybox's server does not wait for.
fn ask(address: &str, question: &str) -> std::io::Result<String> {
    let mut stream = connect(address)?;
    stream.write_all(question.as_bytes())?;
    if question != GET {
        stream.shutdown(Shutdown::Write)?;
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Asks until there is an answer: the server starts after the container.
#[track_caller]
fn answer(address: &str, question: &str) -> String {
    let mut answer = String::new();
    eventually(LIMIT, &format!("an answer at {address}"), || {
        answer = ask(address, question).unwrap_or_default();
        !answer.is_empty()
    });
    answer
}

/// The address at which `container port` says that a port of the container is.
#[track_caller]
fn published(system: &System, id: &str, port: &str) -> String {
    system.ok(["port", id, port]).replace("0.0.0.0", "127.0.0.1")
}

const GET: &str = "GET /index.html HTTP/1.0\r\n\r\n";

#[test]
fn tcp_by_both_families_ranges_and_free_ports() {
    let system = System::start();
    let (fixed, first) = (free_port(), free_port());
    // A range whose second port is somebody else's only fails if that happens just now.
    let range = format!("127.0.0.1:{first}-{}:81-82", first + 1);
    let serve = "mkdir /www; echo hello >/www/index.html; httpd -h /www -p 80; httpd -h /www -p 82; \
                 exec nc -ll -p 81 -e sh -c 'cat; netstat -tn'";
    system.ok([
        "run",
        "-d",
        "--name",
        "web",
        "-p",
        &format!("{fixed}:80"),
        "-p",
        &range,
        "-p",
        "[::1]:0:80",
        "busybox",
        "sh",
        "-c",
        serve,
    ]);
    let listed = system.ok(["port", "web"]);
    let chosen = published(&system, "web", "80").lines().last().map(str::to_owned);
    let chosen = chosen.expect("two addresses");
    assert!(
        chosen.starts_with("[::1]:") && !chosen.ends_with(":0"),
        "{listed}"
    );
    assert_eq!(
        listed,
        format!(
            "80/tcp -> 0.0.0.0:{fixed}\n81/tcp -> 127.0.0.1:{first}\n82/tcp -> 127.0.0.1:{}\n80/tcp -> {chosen}",
            first + 1
        )
    );
    let status = system.inspect("web")["status"]["publishedPorts"].clone();
    assert_eq!(status.as_array().map(Vec::len), Some(3), "{status}");
    assert_eq!(
        system.inspect("web")["configuration"]["publishedPorts"][2]["hostPort"],
        0
    );

    for address in [
        format!("127.0.0.1:{fixed}"),
        format!("127.0.0.1:{}", first + 1),
        chosen.clone(),
    ] {
        let page = answer(&address, GET);
        assert!(page.ends_with("hello\n"), "{address}: {page}");
    }
    // The question's end arrives while the answer goes on; the peer is the network's gateway.
    let network = &system.inspect("web")["status"]["networks"][0];
    let gateway = network["ipv4Gateway"].as_str().expect("a gateway").to_owned();
    let echo = answer(&format!("127.0.0.1:{first}"), "half-closed\n");
    assert!(echo.starts_with("half-closed\n"), "{echo}");
    assert!(echo.contains(&gateway), "{echo} does not come from {gateway}");

    let address = format!("127.0.0.1:{fixed}");
    // No more at once than busybox's server lets wait.
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..12 {
                    let page = ask(&address, GET).expect("an answer");
                    assert!(page.ends_with("hello\n"), "{page}");
                }
            });
        }
    });

    system.ok(["stop", "-t", "0", "web"]);
    assert!(connect(&address).is_err(), "nobody listens after the end");
    assert!(system.inspect("web")["status"]["publishedPorts"].is_null());
    // The same ports again.
    system.ok(["start", "web"]);
    assert!(answer(&address, GET).ends_with("hello\n"));
}

#[test]
fn datagrams() {
    let system = System::start();
    system.ok([
        "run",
        "-d",
        "--name",
        "echo",
        "-p",
        "127.0.0.1:0:7/udp",
        "-p",
        "[::1]:0:7/UDP",
        "busybox",
        "sleep",
        "1000",
    ]);
    let program = static_program(include_str!("../data/echo.c"));
    let copied = system.run_with_input(
        ["exec", "-i", "echo", "sh", "-c", "cat >/echo; chmod 755 /echo"],
        &program,
    );
    assert_eq!(copied.code, 0, "{copied:?}");
    system.ok(["exec", "-d", "echo", "/echo", "udp", "7"]);
    let network = &system.inspect("echo")["status"]["networks"][0];
    let gateway = network["ipv4Gateway"].as_str().expect("a gateway").to_owned();
    let addresses = published(&system, "echo", "7/udp");
    for (address, peer) in addresses.lines().zip([gateway.as_str(), ""]) {
        let own = if peer.is_empty() { "[::1]:0" } else { "127.0.0.1:0" };
        let client = UdpSocket::bind(own).expect("a socket");
        client.connect(address).expect("connected");
        client
            .set_read_timeout(Some(Duration::from_millis(500)))
            .expect("a limit");
        let mut buffer = [0; 100];
        let mut answer = String::new();
        eventually(LIMIT, "the datagram to come back", || {
            client.send(b"ping").expect("sent");
            let count = client.recv(&mut buffer).unwrap_or_default();
            answer = String::from_utf8_lossy(&buffer[..count]).into_owned();
            count > 0
        });
        assert!(
            answer.starts_with("ping from ") && answer.ends_with(peer),
            "{answer}"
        );
    }
    assert_eq!(addresses.lines().count(), 2);
}

#[test]
fn conflicts_are_found_before_anything_boots() {
    let system = System::start();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("its address").port();
    let free = free_port();
    let publish = format!("127.0.0.1:{port}:80");
    let also = format!("127.0.0.1:{free}:81");
    let refused = system.fails([
        "run", "--name", "late", "-p", &also, "-p", &publish, "busybox", "true",
    ]);
    let text = format!("host port 127.0.0.1:{port}/tcp is already in use");
    assert!(refused.stderr.contains(&text), "{refused:?}");
    let boot_log = std::fs::read(system.bundle("late").join("vminitd.log")).unwrap_or_default();
    assert!(boot_log.is_empty(), "nothing booted");
    assert!(
        TcpListener::bind(("127.0.0.1", free)).is_ok(),
        "nothing is left bound"
    );

    let overlap = system.fails(["create", "-p", "80:80", "-p", "127.0.0.1:80:81", "busybox"]);
    let text = "host ports for different publish port specs may not overlap";
    assert!(overlap.stderr.contains(text), "{overlap:?}");

    // Without an interface there is nothing to publish, and nothing to conflict with.
    let finished = system.run([
        "run",
        "--rm",
        "--network",
        "none",
        "-p",
        &publish,
        "busybox",
        "true",
    ]);
    assert_eq!(finished.code, 0, "{finished:?}");
}

#[test]
fn ports_outlive_the_helper_of_their_network() {
    let system = System::start();
    let serve = "mkdir /www; echo hello >/www/index.html; exec httpd -f -h /www -p 80";
    system.ok([
        "run",
        "-d",
        "--name",
        "web",
        "-p",
        "127.0.0.1:0:80",
        "busybox",
        "sh",
        "-c",
        serve,
    ]);
    let address = published(&system, "web", "80");
    assert!(answer(&address, GET).ends_with("hello\n"));
    let helpers = || system.processes("container-network-bridge start");
    let before = helpers();
    assert_eq!(before.len(), 1);
    signal("KILL", before[0]);
    // More connections than sockets were fetched ahead.
    for _ in 0..40 {
        assert!(answer(&address, GET).ends_with("hello\n"));
    }
    let after = helpers();
    assert!(after.len() == 1 && after != before, "{before:?} {after:?}");
}

//! Names of containers, of the host, and of domains that stand for it.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, TcpListener};
use std::time::Duration;

use container_tests::{Finished, System, eventually, signal};

const DOMAIN: &str = "[dns]\ndomain = \"test\"\n";

/// A web server on every address of the host that says `hello`.
fn serve() -> u16 {
    let server = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).expect("a port");
    let port = server.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for client in server.incoming().flatten() {
            // A client that is gone again is fine.
            let _ = (&client).read(&mut [0; 1024]);
            let _ = (&client).write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        }
    });
    port
}

/// What the container's name server says: addresses, or nothing.
fn look_up(system: &System, id: &str, name: &str) -> Vec<String> {
    let said = system.run(["exec", id, "nslookup", name]).stdout;
    // The name server's own address comes first.
    let answers = said.split_once("Name:").map_or("", |(_, answers)| answers);
    let addresses = answers.lines().filter_map(|line| line.strip_prefix("Address: "));
    addresses.map(str::to_owned).collect()
}

fn hears(system: &System, id: &str, name: &str, port: u16) -> String {
    let url = format!("http://{name}:{port}/");
    system
        .run(["exec", id, "timeout", "5", "wget", "-q", "-O", "-", &url])
        .stdout
}

fn wait(system: &System, id: &str, network: &str) {
    system.ok([
        "run",
        "-d",
        "--name",
        id,
        "--network",
        network,
        "busybox",
        "sleep",
        "1000",
    ]);
}

fn names(system: &System) {
    wait(system, "web", "default,alias=db");
    wait(system, "client", "default");
    let address = system.address("web");
    for name in ["web", "WEB.test", "web.test.", "db", "db.test"] {
        let found = look_up(system, "client", name);
        assert!(found.contains(&address), "{name}: {found:?}");
        // The IPv6 address, too.
        assert_eq!(found.len(), 2, "{name}: {found:?}");
    }
    for name in ["nobody", "nobody.test", "web.web.test"] {
        assert_eq!(look_up(system, "client", name), Vec::<String>::new(), "{name}");
    }
    assert_eq!(
        system
            .run(["exec", "client", "ping", "-c", "1", "-w", "5", "db"])
            .code,
        0
    );

    // A network has its own names.
    system.ok(["network", "create", "other"]);
    wait(system, "stranger", "other");
    assert_eq!(look_up(system, "stranger", "web"), Vec::<String>::new());
    assert_eq!(look_up(system, "client", "stranger"), Vec::<String>::new());

    // The host has a name, and gets further ones.
    let port = serve();
    assert_eq!(hears(system, "client", "host.container.internal", port), "hello");
    let create = [
        "system",
        "dns",
        "create",
        "--localhost",
        "203.0.113.77",
        "Host.docker.internal",
    ];
    assert_eq!(system.ok(create), "Host.docker.internal");
    assert_eq!(
        system.ok(["system", "dns", "list"]),
        "DOMAIN\nhost.docker.internal"
    );
    assert_eq!(
        system.ok(["system", "dns", "ls", "--format", "json"]),
        "[\"host.docker.internal\"]"
    );
    eventually(Duration::from_secs(10), "the domain", || {
        look_up(system, "client", "x.host.docker.internal") == ["203.0.113.77"]
    });
    for id in ["client", "stranger"] {
        assert_eq!(hears(system, id, "host.docker.internal", port), "hello", "{id}");
    }
    let again = system.run(create);
    let expected = Finished {
        code: 1,
        stdout: String::new(),
        stderr: "Error: domain Host.docker.internal already exists\n".to_owned(),
    };
    assert_eq!(again, expected);
    assert_eq!(
        system.ok(["system", "dns", "rm", "host.docker.internal"]),
        "host.docker.internal"
    );
    eventually(Duration::from_secs(10), "the domain to go", || {
        look_up(system, "client", "host.docker.internal").is_empty()
    });

    // Names come and go with their containers, and outlive the helper that knows them.
    let helper = || system.processes("container-network-bridge start --id default");
    let before = helper();
    signal("KILL", before[0]);
    eventually(Duration::from_secs(20), "the names to come back", || {
        look_up(system, "client", "web").contains(&address)
    });
    assert_ne!(helper(), before);
    system.ok(["stop", "-t", "0", "web"]);
    eventually(Duration::from_secs(5), "the name to go", || {
        look_up(system, "client", "web").is_empty()
    });
}

#[test]
fn containers_and_the_host_have_names() {
    names(&System::configured(DOMAIN));
}

#[test]
fn containers_of_an_ordinary_user_have_names() {
    names(&System::configured_as_user(DOMAIN));
}

#[test]
fn the_resolver_of_a_container_is_what_was_asked_for() {
    let system = System::start();
    let gateway = system.network("default")["status"]["ipv4Gateway"].clone();
    let gateway = gateway.as_str().expect("a gateway");
    let resolver = |options: &[&str]| {
        let line = [&["run", "--rm"], options, &["busybox", "cat", "/etc/resolv.conf"]].concat();
        system.ok(line)
    };
    assert_eq!(resolver(&[]), format!("nameserver {gateway}"));
    assert_eq!(
        resolver(&["--dns-search", "a.test", "--dns-option", "ndots:2"]),
        format!("nameserver {gateway}\nsearch a.test\noptions ndots:2")
    );
    assert_eq!(
        resolver(&["--dns", "192.0.2.53", "--dns-domain", "b.test"]),
        "nameserver 192.0.2.53\ndomain b.test"
    );
    assert_eq!(resolver(&["--network", "none"]), "");
    let kept = system.run(["run", "--rm", "--no-dns", "busybox", "cat", "/etc/resolv.conf"]);
    assert!(!kept.stdout.contains(gateway), "{kept:?}");
}

//! `container network`, and containers on networks.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, TcpListener, UdpSocket};
use std::process::Command;
use std::time::Duration;

use container_tests::{Finished, System, assert_golden, eventually, signal};

/// What the server on the host says to whoever connects.
const GREETING: &str = "hello from the host";

/// A web server on every address of the host.
fn serve() -> u16 {
    let server = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).expect("a port");
    let port = server.local_addr().expect("an address").port();
    let length = GREETING.len();
    let answer = format!("HTTP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n{GREETING}");
    std::thread::spawn(move || {
        for client in server.incoming().flatten() {
            // A client that is gone again is fine.
            let _ = (&client).read(&mut [0; 1024]);
            let _ = (&client).write_all(answer.as_bytes());
        }
    });
    port
}

/// The addresses of the host's own network, as far as there is one.
fn host_addresses() -> Vec<IpAddr> {
    // No packet is sent: connecting only chooses an address.
    let towards = |bind: &str, to: &str| {
        let socket = UdpSocket::bind(bind).ok()?;
        socket.connect(to).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    let ipv4 = towards("0.0.0.0:0", "198.51.100.1:9");
    let ipv6 = towards("[::]:0", "[2001:db8::1]:9").filter(|address| match address {
        IpAddr::V6(address) => !address.is_unicast_link_local(),
        IpAddr::V4(_) => true,
    });
    ipv4.into_iter().chain(ipv6).collect()
}

/// Starts a container that waits.
fn wait(system: &System, id: &str, options: &[&str]) {
    let line = [
        &["run", "-d", "--name", id],
        options,
        &["busybox", "sleep", "1000"],
    ]
    .concat();
    system.ok(line);
}

fn reaches(system: &System, id: &str, address: &str) -> bool {
    let ping = ["exec", id, "ping", "-c", "1", "-w", "3", address];
    system.run(ping).code == 0
}

/// What a web server says to the container; nothing if it cannot be reached.
fn hears(system: &System, id: &str, address: &str, port: u16) -> String {
    let address = match address.contains(':') {
        true => format!("[{address}]"),
        false => address.to_owned(),
    };
    let url = format!("http://{address}:{port}/");
    system
        .run(["exec", id, "timeout", "5", "wget", "-q", "-O", "-", &url])
        .stdout
}

fn ipv6_address(system: &System, id: &str) -> String {
    let container = system.inspect(id);
    let address = container["status"]["networks"][0]["ipv6Address"].as_str();
    let address = address.and_then(|address| address.split('/').next());
    address.expect("an IPv6 address").to_owned()
}

fn refused(system: &System, arguments: &[&str], error: &str) {
    let expected = Finished {
        code: 1,
        stdout: String::new(),
        stderr: error.to_owned(),
    };
    assert_eq!(system.run(arguments), expected, "{arguments:?}");
}

/// Containers, their host, and what is beyond it.
fn everybody_reaches_whom_they_may(system: &System) {
    wait(system, "one", &[]);
    wait(system, "two", &[]);
    let (one, two) = (system.address("one"), system.address("two"));
    assert_ne!(one, two);
    assert!(reaches(system, "one", &two));
    assert!(reaches(system, "two", &ipv6_address(system, "one")));

    let port = serve();
    let network = system.network("default");
    let gateway = network["status"]["ipv4Gateway"].as_str().expect("a gateway");
    assert_eq!(hears(system, "one", gateway, port), GREETING);
    let addresses = host_addresses();
    for address in &addresses {
        assert_eq!(
            hears(system, "one", &address.to_string(), port),
            GREETING,
            "{address}"
        );
    }

    // One network knows nothing of another.
    system.ok(["network", "create", "other"]);
    wait(system, "three", &["--network", "other"]);
    assert!(!reaches(system, "three", &one));
    assert!(!reaches(system, "one", &system.address("three")));
    // Unless somebody is on both; what comes first is the way out.
    wait(
        system,
        "four",
        &["--network", "other", "--network", "default,mtu=1400"],
    );
    assert!(reaches(system, "four", &one) && reaches(system, "four", &system.address("three")));
    let routes = system.ok(["exec", "four", "ip", "route"]);
    assert_eq!(routes.matches("default").count(), 1, "{routes}");
    assert!(routes.contains("dev eth0"), "{routes}");
    let links = system.ok(["exec", "four", "ip", "link"]);
    assert!(
        links.contains("mtu 1280") && links.contains("mtu 1400"),
        "{links}"
    );

    // No way out.
    system.ok(["network", "create", "--internal", "inside"]);
    wait(system, "five", &["--network", "inside"]);
    wait(system, "six", &["--network", "inside"]);
    assert!(reaches(system, "five", &system.address("six")));
    for address in &addresses {
        assert_eq!(hears(system, "five", &address.to_string(), port), "", "{address}");
    }
    let none = system.ok(["run", "--rm", "--network", "none", "busybox", "ip", "link"]);
    assert!(!none.contains("eth0"), "{none}");
}

#[test]
fn containers_reach_each_other_and_the_outside() {
    everybody_reaches_whom_they_may(&System::start());
}

#[test]
fn containers_of_an_ordinary_user_reach_each_other_and_the_outside() {
    everybody_reaches_whom_they_may(&System::start_as_user());
}

#[test]
fn addresses_are_fixed_or_come_back() {
    let system = System::start();
    system.ok([
        "network",
        "create",
        "--subnet",
        "10.203.7.0/24",
        "--subnet-v6",
        "fd00:203:7::/64",
        "web",
    ]);
    wait(&system, "one", &["--network", "web"]);
    wait(
        &system,
        "two",
        &["--network", "web,ip=10.203.7.9,mac=02:42:ac:11:00:02"],
    );
    assert_eq!(system.address("two"), "10.203.7.9");
    assert_eq!(ipv6_address(&system, "two"), "fd00:203:7:0:42:acff:fe11:2");
    assert_eq!(system.network("web")["status"]["ipv4Gateway"], "10.203.7.1");
    let before = system.address("one");
    system.ok(["stop", "-t", "0", "one"]);
    wait(&system, "three", &["--network", "web"]);
    assert_ne!(system.address("three"), before);
    system.ok(["start", "one"]);
    assert_eq!(system.address("one"), before);
    let list = system.ok(["list"]);
    assert!(list.contains(&format!(" {before}/24 ")), "{list}");
    for (option, error) in [
        ("web,ip=10.203.7.9", "address 10.203.7.9 is already in use by two"),
        (
            "web,ip=10.203.7.1",
            "address 10.203.7.1 is not one that a container on network web can have",
        ),
    ] {
        let failed = system.fails(["run", "--rm", "--network", option, "busybox", "true"]);
        assert!(failed.stderr.contains(error), "{failed:?}");
    }
    assert_eq!(system.ok(["list", "--all", "--quiet"]).lines().count(), 3);
}

#[test]
fn networks_are_made_listed_and_deleted() {
    let system = System::configured("[network]\nsubnet = \"10.204.0.0/24\"\nsubnetv6 = \"fd00:204::/64\"\n");
    let create = [
        "network",
        "create",
        "--subnet",
        "10.204.1.0/24",
        "--subnet-v6",
        "fd00:204:1::/64",
    ];
    let labels = [
        "--label",
        "a.b/c=d=e",
        "--label",
        "bare",
        "--option",
        "x=y",
        "--internal",
        "web",
    ];
    assert_eq!(system.ok(create.iter().chain(&labels)), "web");
    let mut inspected = String::new();
    for (arguments, golden) in [
        (&["list"][..], "list.txt"),
        (&["ls", "--quiet"], "list-quiet.txt"),
        (&["list", "--format", "json"], "list.json"),
        (&["list", "--format", "yaml"], "list.yaml"),
        (&["list", "--format", "toml"], "list.toml"),
        (&["inspect", "web", "default", "web"], "inspect.json"),
    ] {
        let shown = system.ok(["network"].iter().chain(arguments));
        inspected = without_dates(&shown);
        assert_golden(&format!("network/{golden}"), &format!("{inspected}\n"));
    }
    assert!(inspected.contains("10.204.1.0"), "{inspected}");

    refused(
        &system,
        &["network", "create", "web"],
        "Error: network web already exists\n",
    );
    refused(
        &system,
        &["network", "create", "--subnet", "10.204.0.128/25", "x"],
        "Error: IPv4 subnet 10.204.0.128/25 overlaps an existing network with subnet 10.204.0.0/24\n",
    );
    refused(
        &system,
        &["network", "create", "Web"],
        "Error: invalid network name: Web\n",
    );
    refused(
        &system,
        &["network", "create", "none"],
        "Error: network none is not a valid name\n",
    );
    refused(
        &system,
        &["network", "create", "--plugin", "nope", "x"],
        "Error: unable to locate network plugin nope\n",
    );
    refused(
        &system,
        &["network", "inspect", "web", "x", "y"],
        "Error: network not found: x, y\n",
    );
    refused(
        &system,
        &["network", "delete"],
        "Error: no networks specified and --all not supplied\n",
    );
    refused(
        &system,
        &["network", "delete", "--all", "web"],
        "Error: explicitly supplied network name(s) conflict with the --all flag\n",
    );
    refused(
        &system,
        &["network", "delete", "web", "x"],
        "Error: failed to delete one or more networks: [\"x\"]\n",
    );
    refused(
        &system,
        &["network", "delete", "default"],
        "Error: cannot delete a builtin network: default\n",
    );
    refused(
        &system,
        &["run", "--network", "x", "busybox", "true"],
        "Error: network x not found\n",
    );
    assert_eq!(system.fails(["network", "create", "--subnet", "x", "y"]).code, 64);

    // A container that does not run refers to its network, too.
    system.ok(["create", "--name", "one", "--network", "web", "busybox", "true"]);
    refused(
        &system,
        &["network", "delete", "web"],
        "failed to delete network: [\"id\": \"web\", \"error\": \"cannot delete subnet web with referring \
         containers: one\"]\nError: delete failed for one or more networks: [\"web\"]\n",
    );
    system.ok(["network", "create", "idle"]);
    assert_eq!(system.ok(["network", "prune"]), "idle");
    system.ok(["delete", "one"]);
    assert_eq!(system.ok(["network", "delete", "--all"]), "web");
    assert_eq!(system.ok(["network", "list", "--quiet"]), "default");
    assert!(!system.app_root().join("networks/web").exists());
}

/// `text` with one and the same date for all.
fn without_dates(text: &str) -> String {
    const DATE: &str = "2026-01-01T00:00:00Z";
    let mut parts = text.split("creationDate");
    let mut without = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (before, date) = part.split_at(part.find("20").expect("a year"));
        without.push_str(&format!("creationDate{before}{DATE}{}", &date[DATE.len()..]));
    }
    without
}

#[test]
fn a_network_outlives_its_helper() {
    let system = System::start();
    wait(&system, "one", &[]);
    wait(&system, "two", &[]);
    let helper = || system.processes("container-network-bridge start");
    let before = helper();
    assert_eq!(before.len(), 1);
    signal("KILL", before[0]);
    // Frames do not pass through it.
    assert!(reaches(&system, "one", &system.address("two")));
    eventually(Duration::from_secs(20), "another helper", || {
        let now = helper();
        now.len() == 1 && now != before
    });
    let (one, two) = (system.address("one"), system.address("two"));
    wait(&system, "three", &[]);
    assert!(![one.clone(), two].contains(&system.address("three")));
    assert!(reaches(&system, "three", &one));
    // The same when the namespace has lost its own process, too.
    let (port, network) = (serve(), system.network("default"));
    let gateway = network["status"]["ipv4Gateway"].as_str().expect("a gateway");
    for part in ["container-network-bridge start", "container-network-bridge hold"] {
        signal("KILL", system.processes(part)[0]);
    }
    eventually(Duration::from_secs(60), "the way out", || {
        hears(&system, "two", gateway, port) == GREETING
    });
    assert!(reaches(&system, "three", &one));
    // What they had is theirs again afterwards.
    system.ok(["restart", "-t", "0", "one"]);
    assert_eq!(system.address("one"), one);
}

#[test]
fn a_subnet_that_the_host_uses_is_left_when_nobody_is_on_it() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("only root can change the routes of this host");
        return;
    }
    let mut system = System::start_as_user();
    let subnet = |system: &System| {
        let network = system.network("default");
        network["status"]["ipv4Subnet"]
            .as_str()
            .expect("a subnet")
            .to_owned()
    };
    wait(&system, "one", &[]);
    let before = subnet(&system);
    let route = Route::add(&before);
    let helper = || system.processes("container-network-bridge start");
    let killed = helper();
    signal("KILL", killed[0]);
    eventually(Duration::from_secs(20), "another helper", || {
        let now = helper();
        now.len() == 1 && now != killed
    });
    wait(&system, "two", &[]);
    assert_eq!(subnet(&system), before);
    assert!(reaches(&system, "two", &system.address("one")));
    system.ok(["delete", "--force", "--all"]);
    system.stop();
    system.boot();
    wait(&system, "one", &[]);
    assert_ne!(subnet(&system), before);
    drop(route);
}

/// A route of the host that leads nowhere.
struct Route(String);

impl Route {
    fn add(subnet: &str) -> Self {
        let added = Command::new("ip")
            .args(["route", "add", "unreachable", subnet])
            .status();
        assert!(added.is_ok_and(|status| status.success()));
        Self(subnet.to_owned())
    }
}

impl Drop for Route {
    fn drop(&mut self) {
        let removed = Command::new("ip")
            .args(["route", "del", "unreachable", &self.0])
            .status();
        assert!(removed.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

/// The tap devices of the default network, as the process that keeps its namespace sees them.
fn taps(system: &System) -> Vec<String> {
    let holders = system.processes("hold --id default");
    assert_eq!(holders.len(), 1);
    let devices = fs::read_to_string(format!("/proc/{}/net/dev", holders[0])).expect("interfaces");
    let names = devices.lines().filter_map(|line| line.split_once(':'));
    let names = names.map(|(name, _)| name.trim().to_owned());
    names.filter(|name| name.starts_with("tap")).collect()
}

fn descriptors(process: i32) -> usize {
    let descriptors = fs::read_dir(format!("/proc/{process}/fd"));
    descriptors.expect("descriptors").count()
}

#[test]
fn twenty_containers_leave_nothing() {
    let system = System::start();
    system.ok(["run", "--rm", "busybox", "true"]);
    let helper = system.processes("container-network-bridge start")[0];
    let before = descriptors(helper);
    for _ in 0..20 {
        system.ok(["run", "--rm", "busybox", "true"]);
    }
    eventually(Duration::from_secs(10), "tap devices to go", || {
        taps(&system).is_empty()
    });
    eventually(Duration::from_secs(10), "descriptors to close", || {
        descriptors(helper) <= before
    });
    system.ok(["create", "--name", "never", "busybox", "true"]);
    system.ok(["delete", "never"]);
    assert!(system.processes("container-runtime-linux").is_empty());
}

/// Networks that are there at one time, all with the same container.
const AT_ONCE: usize = 16;

/// Makes networks, has a container on all of them, and deletes these. Gives what every network had on the host, the
/// default one too: its namespace, and as root its interface and its table of rules.
fn attach_and_delete(system: &System) -> BTreeSet<String> {
    let names: Vec<String> = (0..AT_ONCE).map(|number| format!("n{number}")).collect();
    std::thread::scope(|scope| {
        for name in &names {
            scope.spawn(|| system.ok(["network", "create", name]));
        }
    });
    let options: Vec<&str> = names.iter().flat_map(|name| ["--network", name]).collect();
    wait(system, "one", &options);
    let mut traces: BTreeSet<String> = system
        .processes("container-network-bridge hold")
        .iter()
        .map(|holder| fs::read_link(format!("/proc/{holder}/ns/net")).expect("a namespace"))
        .map(|namespace| namespace.display().to_string())
        .collect();
    let networks = system.ok(["network", "list", "--format", "json"]);
    let networks: serde_json::Value = serde_json::from_str(&networks).expect("JSON");
    if rustix::process::geteuid().is_root() {
        for network in networks.as_array().expect("a list") {
            let subnet = network["status"]["ipv4Subnet"].as_str().expect("a subnet");
            let route = output("ip", &["route", "show", subnet]);
            let key = route.split_whitespace().find_map(|word| word.strip_prefix("cn-"));
            let key = key.unwrap_or_else(|| panic!("{subnet}: {route:?}"));
            traces.extend([format!("cn-{key}"), format!("container-{key}")]);
        }
    }
    system.ok(["delete", "--force", "one"]);
    system.ok(["network", "delete"]
        .into_iter()
        .chain(names.iter().map(String::as_str)));
    traces
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().expect("a program");
    assert!(output.status.success(), "{program}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// What of `traces` is there: of namespaces those that processes of this installation are in or have open.
fn present(system: &System, traces: &BTreeSet<String>) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for process in system.processes("") {
        let open = fs::read_dir(format!("/proc/{process}/fd"));
        let open = open.into_iter().flatten().flatten().map(|entry| entry.path());
        let links = open.chain([format!("/proc/{process}/ns/net").into()]);
        all.extend(links.filter_map(|link| Some(fs::read_link(link).ok()?.display().to_string())));
    }
    if rustix::process::geteuid().is_root() {
        for text in [
            output("ip", &["-brief", "link"]),
            output("nft", &["list", "tables"]),
        ] {
            all.extend(text.split(['@', ' ', '\n']).map(str::to_owned));
        }
    }
    traces.intersection(&all).cloned().collect()
}

#[test]
fn two_hundred_networks_with_a_container_leave_nothing() {
    let system = System::start();
    let every = attach_and_delete(&system);
    // The default network's.
    let lasting = present(&system, &every);
    assert_eq!(every.len() / lasting.len(), AT_ONCE + 1, "{lasting:?}");
    let server = system.processes("container-apiserver")[0];
    let runtime_files = || {
        let files = fs::read_dir(system.app_root().join("run")).expect("sockets");
        let names = files.flatten().map(|file| file.file_name());
        names.collect::<BTreeSet<_>>()
    };
    let (files, open) = (runtime_files(), descriptors(server));
    let mut traces = every;
    for _ in 0..200_usize.div_ceil(AT_ONCE) {
        traces.extend(attach_and_delete(&system));
    }
    eventually(Duration::from_secs(10), "namespaces to go", || {
        present(&system, &traces) == lasting
    });
    eventually(Duration::from_secs(10), "descriptors to close", || {
        descriptors(server) <= open
    });
    assert_eq!(runtime_files(), files);
    assert_eq!(system.processes("container-network-bridge").len(), 2);
    assert!(system.processes("container-runtime-linux").is_empty());
    let networks = fs::read_dir(system.app_root().join("networks")).expect("networks");
    assert_eq!(networks.count(), 1);
}

//! The way between a network and the outside, as root and as an ordinary user.
#![cfg(target_os = "linux")]

mod support;

use std::process::Command;

use support::{Guest, Helper, ask, eventually, hello, kill, pids_of, root, test, test_as_both};

fn host(words: &str) -> String {
    let mut words = words.split(' ');
    let output = Command::new(words.next().unwrap()).args(words).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The host's address towards the outside.
fn host_address() -> Option<String> {
    let interfaces = if_addrs::get_if_addrs().unwrap().into_iter();
    let mut addresses = interfaces.map(|interface| interface.ip());
    let address = addresses.find(|address| address.is_ipv4() && !address.is_loopback());
    address.map(|address| address.to_string())
}

/// A port on which nobody listens.
fn closed_port() -> u16 {
    let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn gateway6(address: &str) -> String {
    format!(
        "[{}::1]",
        address.split(':').take(4).collect::<Vec<_>>().join(":")
    )
}

#[test]
fn the_gateway_is_the_host() {
    test_as_both("the_gateway_is_the_host", async {
        let helper = Helper::new("nat");
        let client = helper.client().await;
        let attachment = client.allocate(ask("web")).await.unwrap();
        let (gateway, gateway6) = (
            attachment.attachment.ipv4_gateway.clone(),
            gateway6(attachment.attachment.ipv6_address.as_ref().unwrap()),
        );
        let guest = Guest::start(attachment);
        assert_eq!(guest.get(&gateway, hello("0.0.0.0")), "hello");
        assert_eq!(guest.get(&gateway6, hello("::")), "hello");
        // Where nobody listens, that is said at once.
        let nobody = format!("http://{gateway}:{}/", closed_port());
        assert_eq!(
            guest
                .run(&["curl", "-s", "--max-time", "5", &nobody])
                .status
                .code(),
            Some(7)
        );
        if let Some(address) = host_address() {
            assert_eq!(guest.get(&address, hello("0.0.0.0")), "hello");
        }
        helper.shut_down().await;
    });
}

#[test]
fn a_lost_way_out_is_made_again() {
    test_as_both("a_lost_way_out_is_made_again", async {
        let mut helper = Helper::new("nat");
        let client = helper.client().await;
        let lease = client.allocate(ask("web")).await.unwrap();
        let gateway = lease.attachment.ipv4_gateway.clone();
        let guest = Guest::start(lease);
        let port = hello("0.0.0.0");
        assert_eq!(guest.get(&gateway, port), "hello");
        let way_out = || {
            if root() {
                let ours = helper_interface(&gateway)?;
                assert_eq!(host(&format!("ip link delete {ours}")), "");
                return Some(());
            }
            kill(*pids_of(&["pasta", &helper.holder()?.to_string()]).first()?);
            Some(())
        };
        way_out().unwrap();
        eventually(async || {
            (guest
                .run(&[
                    "curl",
                    "-s",
                    "--max-time",
                    "2",
                    &format!("http://{gateway}:{port}/"),
                ])
                .stdout
                == b"hello")
                .then_some(())
        })
        .await;

        if root() {
            // So are rules that somebody flushes.
            let table = helper_interface(&gateway).unwrap().replace("cn-", "container-");
            assert_eq!(host(&format!("nft delete table inet {table}")), "");
            eventually(async || host("nft list tables").contains(&table).then_some(())).await;
        }

        // What a killed helper had is taken over, not made a second time.
        let before = pids_of(&["pasta", &helper.holder().unwrap().to_string()]);
        helper.kill();
        assert_eq!(guest.get(&gateway, port), "hello");
        helper.start();
        helper.client().await.status().await.unwrap();
        assert_eq!(guest.get(&gateway, port), "hello");
        assert_eq!(pids_of(&["pasta", &helper.holder().unwrap().to_string()]), before);
        // So is what a killed holder had.
        let holder = helper.holder().unwrap();
        kill(holder);
        eventually(async || helper.holder().filter(|&now| now != holder)).await;
        helper.client().await.status().await.unwrap();
        assert_eq!(guest.get(&gateway, port), "hello");
        helper.shut_down().await;
        assert_eq!(pids_of(&["pasta", &holder.to_string()]), Vec::<u32>::new());
    });
}

/// The host's interface towards the network with this gateway.
fn helper_interface(gateway: &str) -> Option<String> {
    let network = gateway.strip_suffix('1')?.to_owned() + "0/24";
    let routes = host("ip route");
    let route = routes.lines().find(|line| line.starts_with(&network))?;
    Some(route.split("dev ").nth(1)?.split(' ').next()?.to_owned())
}

#[test]
fn the_host_reaches_machines_and_is_left_as_it_was_found() {
    test(async {
        if !root() {
            return;
        }
        // Of a network whose processes were all killed.
        let orphan = format!("container-{:08x}", std::process::id());
        assert_eq!(host(&format!("nft add table inet {orphan}")), "");
        let helper = Helper::new("nat");
        let client = helper.client().await;
        let lease = client.allocate(ask("web")).await.unwrap();
        let (address, address6) = (
            lease.attachment.ipv4_address.replace("/24", ""),
            lease.attachment.ipv6_address.clone().unwrap().replace("/64", ""),
        );
        let gateway = lease.attachment.ipv4_gateway.clone();
        let guest = Guest::start(lease);
        assert!(host(&format!("busybox ping -c1 -W5 {address}")).contains(" 0% packet loss"));
        assert!(host(&format!("busybox ping -c1 -W5 {address6}")).contains(" 0% packet loss"));
        let interface = helper_interface(&gateway).unwrap();
        let table = interface.replace("cn-", "container-");
        assert!(host("nft list tables").contains(&table));
        assert!(!host("nft list tables").contains(&orphan));
        drop(guest);
        helper.shut_down().await;
        assert!(!host("nft list tables").contains(&table));
        assert!(!host("ip link").contains(&interface));
        assert!(!host("ip route").contains(&interface));
    });
}

/// A machine that the host reaches and that knows no way to anything but the host.
struct Outside(String);

impl Outside {
    fn new() -> Self {
        let number = std::process::id();
        let name = format!("o{number}");
        let net = format!("198.18.{}", number % 256);
        for command in [
            format!("ip netns add {name}"),
            format!("ip link add {name} type veth peer eth0 netns {name}"),
            format!("ip addr add {net}.1/24 dev {name}"),
            format!("ip link set {name} up"),
            format!("ip -n {name} addr add {net}.2/24 dev eth0"),
            format!("ip -n {name} link set eth0 up"),
            format!("ip -n {name} link set lo up"),
        ] {
            assert_eq!(host(&command), "", "{command}");
        }
        Self(name)
    }

    fn address(&self) -> String {
        format!("198.18.{}.2", std::process::id() % 256)
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        host(&format!("ip netns delete {}", self.0));
    }
}

#[test]
fn networks_reach_the_outside_but_not_each_other() {
    test(async {
        if !root() {
            return;
        }
        let outside = Outside::new();
        let helpers = [
            Helper::nth("nat", 0),
            Helper::nth("nat", 1),
            Helper::nth("hostOnly", 2),
        ];
        let mut clients = Vec::new();
        let mut guests = Vec::new();
        let mut addresses = Vec::new();
        for helper in &helpers {
            let client = helper.client().await;
            let lease = client.allocate(ask("web")).await.unwrap();
            addresses.push(lease.attachment.clone());
            clients.push(client);
            guests.push(Guest::start(lease));
        }
        let reaches = |guest: &Guest, address: &str| {
            guest
                .run(&["busybox", "ping", "-c1", "-W1", address])
                .status
                .success()
        };
        assert!(reaches(&guests[0], &outside.address()));
        assert!(reaches(&guests[1], &outside.address()));
        assert!(!reaches(&guests[2], &outside.address()));
        for (from, guest) in guests.iter().enumerate() {
            for (to, attachment) in addresses.iter().enumerate().filter(|&(to, _)| to != from) {
                let address = attachment.ipv4_address.replace("/24", "");
                assert!(!reaches(guest, &address), "{from} reaches {to}");
            }
        }
        // Its host is there for a network without a way out, too.
        assert_eq!(
            guests[2].get(&addresses[2].ipv4_gateway, hello("0.0.0.0")),
            "hello"
        );
        for helper in helpers {
            helper.shut_down().await;
        }
    });
}

#[test]
fn a_subnet_that_the_host_uses_is_refused() {
    test(async {
        if !root() {
            return;
        }
        let number = std::process::id();
        let (subnet, _) = support::subnets();
        let name = format!("d{number}");
        assert_eq!(host(&format!("ip link add {name} type bridge")), "");
        assert_eq!(host(&format!("ip link set {name} up")), "");
        assert_eq!(host(&format!("ip route add {subnet} dev {name}")), "");
        let helper = Helper::new("nat");
        let error = helper.client().await.status().await.unwrap_err();
        let wanted = format!("failed to set up network n: the host has a route to {subnet} already");
        assert!(error.message.starts_with(&wanted), "{error}");
        assert!(host("ip route").contains(&format!("dev {name}")));
        host(&format!("ip link delete {name}"));
        // It is tried again when it is needed.
        helper.client().await.status().await.unwrap();
        helper.shut_down().await;
    });
}

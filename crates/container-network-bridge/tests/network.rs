//! Addresses, tap devices and the network's namespace, with real ones.
#![cfg(target_os = "linux")]

mod support;

use container_client::network::SocketKind;
use support::{Guest, Helper, ask, eventually, hello, subnets, test, test_as_both};

#[test]
fn machines_of_a_network_reach_each_other_and_the_gateway() {
    test(async {
        let helper = Helper::new("nat");
        let (a, b) = (helper.client().await, helper.client().await);
        let status = a.status().await.unwrap();
        assert_eq!(status.ipv4_subnet, subnets().0);

        let first = a.allocate(ask("web.test.")).await.unwrap();
        let second = b.allocate(ask("db")).await.unwrap();
        assert!(first.attachment.ipv4_address.ends_with(".2/24"), "{first:?}");
        let (address, address6) = (
            first.attachment.ipv4_address.replace("/24", ""),
            first.attachment.ipv6_address.clone().unwrap().replace("/64", ""),
        );
        let found = b.lookup("WEB").await.unwrap();
        assert_eq!(found.as_ref(), Some(&first.attachment));
        assert_eq!(b.lookup("nobody").await.unwrap(), None);

        let _web = Guest::start(first);
        let db = Guest::start(second);
        db.ok(&["busybox", "ping", "-c1", "-W5", &address]);
        db.ok(&["busybox", "ping", "-c1", "-W5", &address6]);
        db.ok(&["busybox", "ping", "-c1", "-W5", &status.ipv4_gateway]);

        let sockets = a.sockets(SocketKind::Tcp4, 3).await.unwrap();
        assert_eq!(sockets.len(), 3);
        // Nobody listens there; that it says so means that it is there.
        let refused = rustix::net::connect(
            &sockets[0],
            &format!("{address}:9").parse::<std::net::SocketAddr>().unwrap(),
        );
        assert_eq!(refused, Err(rustix::io::Errno::INPROGRESS));
        let error = eventually(async || rustix::net::sockopt::socket_error(&sockets[0]).unwrap().err()).await;
        assert_eq!(error, rustix::io::Errno::CONNREFUSED);
        helper.shut_down().await;
    });
}

#[test]
fn leases_end_with_their_connection() {
    test(async {
        let helper = Helper::new("nat");
        let a = helper.client().await;
        let lease = a.allocate(ask("web")).await.unwrap();
        // The same lease: its tap device has been handed out.
        let again = a.allocate(ask("web")).await.unwrap();
        assert_eq!(again.attachment, lease.attachment);
        assert!(again.device.is_none());

        let b = helper.client().await;
        let error = b.allocate(ask("web")).await.unwrap_err();
        assert_eq!(error.message, "the name web is already in use on network n");
        drop(a);
        eventually(async || b.lookup("web").await.unwrap().is_none().then_some(())).await;
        let next = b.allocate(ask("web")).await.unwrap();
        assert_eq!(next.attachment.ipv4_address, lease.attachment.ipv4_address);
        assert!(next.device.is_some());
        helper.shut_down().await;
    });
}

#[test]
fn two_hundred_leases_leave_nothing_behind() {
    test(async {
        let helper = Helper::new("nat");
        let watcher = helper.client().await;
        for round in 0..200 {
            let client = helper.client().await;
            let lease = client.allocate(ask(&format!("c{round}"))).await.unwrap();
            assert!(lease.device.is_some());
        }
        eventually(async || watcher.lookup("c199").await.unwrap().is_none().then_some(())).await;
        let holder = helper.holder().unwrap();
        let links = support::interfaces_of(holder);
        assert!(!links.iter().any(|name| name.starts_with("tap")), "{links:?}");
        let routes = support::in_namespace_of(holder, &["ip", "route"]);
        assert!(!routes.contains("mtu"), "{routes}");
        helper.shut_down().await;
    });
}

#[test]
fn a_killed_helper_and_a_killed_holder_are_replaced() {
    test(async {
        let mut helper = Helper::new("nat");
        let (a, b) = (helper.client().await, helper.client().await);
        let first = a.allocate(ask("web")).await.unwrap();
        let attachment = first.attachment.clone();
        let address = attachment.ipv4_address.replace("/24", "");
        let _web = Guest::start(first);
        let db = Guest::start(b.allocate(ask("db")).await.unwrap());
        let holder = helper.holder().unwrap();

        helper.kill();
        db.ok(&["busybox", "ping", "-c1", "-W5", &address]);
        helper.start();
        let a = helper.client().await;
        let mut request = ask("web");
        request.mac_address.clone_from(&attachment.mac_address);
        request.ipv4_address = address.parse().ok();
        // The address of a machine that has not come back yet is not given to others.
        let other = helper.client().await.allocate(ask("other")).await.unwrap();
        assert_ne!(other.attachment.ipv4_address, attachment.ipv4_address);
        let back = a.allocate(request).await.unwrap();
        assert_eq!(back.attachment, attachment);
        assert!(back.device.is_none());
        assert_eq!(helper.holder(), Some(holder));
        db.ok(&["busybox", "ping", "-c1", "-W5", &address]);

        support::kill(holder);
        eventually(async || helper.holder().filter(|&now| now != holder)).await;
        db.ok(&["busybox", "ping", "-c1", "-W5", &address]);
        let third = eventually(async || a.allocate(ask("third")).await.ok()).await;
        Guest::start(third).ok(&["busybox", "ping", "-c1", "-W5", &address]);
        helper.shut_down().await;
    });
}

#[test]
fn machines_stay_on_their_network_when_both_processes_are_killed() {
    test_as_both(
        "machines_stay_on_their_network_when_both_processes_are_killed",
        async {
            let mut helper = Helper::new("nat");
            let (mut machines, mut guests, mut clients) = (Vec::new(), Vec::new(), Vec::new());
            for name in ["web", "db"] {
                let client = helper.client().await;
                let mut lease = client.allocate(ask(name)).await.unwrap();
                clients.push(client);
                let mut request = ask(name);
                request.mac_address.clone_from(&lease.attachment.mac_address);
                let address = lease.attachment.ipv4_address.replace("/24", "");
                request.ipv4_address = address.parse().ok();
                let gateway = lease.attachment.ipv4_gateway.clone();
                machines.push((request, lease.helpers_end.take(), address, gateway));
                guests.push(Guest::start(lease));
            }
            let holder = helper.holder().unwrap();
            helper.kill();
            support::kill(holder);
            helper.start();
            // What the API server asks. The network is another one for a moment.
            helper.client().await.ready(support::SOON).await.unwrap();
            clients.clear();
            for (request, namespace, ..) in &mut machines {
                let client = helper.client().await;
                let back = client.resume(request.clone(), namespace.take()).await.unwrap();
                assert!(back.device.is_none());
                clients.push(client);
            }
            let port = hello("0.0.0.0");
            for (guest, (_, _, other, gateway)) in guests.iter().zip(machines.iter().rev()) {
                guest.ok(&["busybox", "ping", "-c1", "-W5", other]);
                assert_eq!(guest.get(gateway, port), "hello");
            }
            let client = helper.client().await;
            let third = client.allocate(ask("third")).await.unwrap();
            Guest::start(third).ok(&["busybox", "ping", "-c1", "-W5", &machines[0].2]);
            drop(guests);
            helper.shut_down().await;
        },
    );
}

//! Names on a network, as root and as an ordinary user.
#![cfg(target_os = "linux")]

mod support;

use std::process::Command;

use support::{Guest, Helper, ask, eventually, hello, test_as_both};

/// What the gateway's name server says: the code, then the answers.
fn dig(guest: &Guest, gateway: &str, words: &str) -> Vec<String> {
    let server = format!("@{gateway}");
    let mut command = vec![
        "dig",
        "+tries=1",
        "+time=6",
        "+noall",
        "+comments",
        "+answer",
        &server,
    ];
    command.extend(words.split(' '));
    lines(&guest.ok(&command))
}

fn lines(text: &str) -> Vec<String> {
    let code = text
        .split("status: ")
        .nth(1)
        .unwrap_or(text)
        .split(',')
        .next()
        .unwrap();
    let answers = text
        .lines()
        .filter(|line| !line.starts_with(';') && !line.is_empty());
    let data = answers.map(|line| line.split_ascii_whitespace().last().unwrap().to_owned());
    std::iter::once(code.to_owned()).chain(data).collect()
}

#[test]
fn containers_and_the_host_have_names() {
    test_as_both("containers_and_the_host_have_names", async {
        let helper = Helper::new("nat");
        let (a, b) = (helper.client().await, helper.client().await);
        let web = a.allocate(ask("web.test.")).await.unwrap().attachment;
        let mut request = ask("db");
        request.aliases.push("postgres".to_owned());
        let lease = b.allocate(request).await.unwrap();
        let gateway = lease.attachment.ipv4_gateway.clone();
        let guest = Guest::start(lease);
        let (ipv4, ipv6) = (
            web.ipv4_address.replace("/24", ""),
            web.ipv6_address.unwrap().replace("/64", ""),
        );
        let says = |words: &str| dig(&guest, &gateway, words).join(" ");
        assert_eq!(says("web A"), format!("NOERROR {ipv4}"));
        assert_eq!(says("WEB.test AAAA"), format!("NOERROR {ipv6}"));
        assert_eq!(says("+tcp web A"), format!("NOERROR {ipv4}"));
        assert_eq!(says("web MX"), "NOERROR");
        assert_eq!(says("nobody.test A"), "NXDOMAIN");
        assert_eq!(says(&format!("-x {ipv4}")), "NOERROR web.test.");
        assert_eq!(says(&format!("-x {ipv6}")), "NOERROR web.test.");
        assert_eq!(says("postgres.test A"), says("db A"));
        assert_eq!(says("host.container.internal A"), format!("NOERROR {gateway}"));
        assert_eq!(says("host.container.internal AAAA"), "NOERROR");
        assert_eq!(says(&format!("-x {gateway}")), "NOERROR host.container.internal.");
        drop(a);
        eventually(async || (says("web.test A") == "NXDOMAIN").then_some(())).await;

        // What others know is what the host's name servers know; where there is none, nobody knows.
        let output = Command::new("dig")
            .args(["+tries=1", "+time=2", "example.com", "A"])
            .output()
            .unwrap();
        let expected = match output.status.success() {
            true => lines(&String::from_utf8_lossy(&output.stdout))[0].clone(),
            false => "SERVFAIL".to_owned(),
        };
        assert_eq!(dig(&guest, &gateway, "example.com A")[0], expected);
        helper.shut_down().await;
    });
}

#[test]
fn domains_lead_to_the_hosts_loopback() {
    test_as_both("domains_lead_to_the_hosts_loopback", async {
        let helper = Helper::new("nat");
        let client = helper.client().await;
        let lease = client.allocate(ask("web")).await.unwrap();
        let gateway = lease.attachment.ipv4_gateway.clone();
        let guest = Guest::start(lease);
        let port = hello("127.0.0.1");
        let domain = helper.root.join("dns/host.example");
        eventually(async || domain.parent()?.exists().then_some(())).await;
        std::fs::write(&domain, "203.0.113.113\n").unwrap();
        eventually(async || {
            let said = dig(&guest, &gateway, "db.host.example A");
            (said == ["NOERROR", "203.0.113.113"]).then_some(())
        })
        .await;
        let url = format!("http://203.0.113.113:{port}/");
        let reached = || guest.run(&["curl", "-s", "--max-time", "5", &url]).stdout == b"hello";
        eventually(async || reached().then_some(())).await;
        std::fs::remove_file(&domain).unwrap();
        eventually(async || (!reached()).then_some(())).await;
        helper.shut_down().await;
    });
}

//! Questions to servers on ports of their own.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use container_client::resolver;
use container_dns::Addresses;
use container_resource::network::AttachmentOptions;
use container_resource::{Attachment, AttachmentConfiguration};
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::containers::Host;
use super::domains::Domains;
use super::table::{Table, serve};

/// Asks a server that knows `find`.
async fn client<F>(find: F) -> (tokio::net::UdpSocket, DropGuard)
where
    F: Fn(&str) -> Option<Addresses> + Send + Sync + 'static,
{
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = socket.local_addr().expect("an address");
    let stop = CancellationToken::new();
    serve(socket, Table(find), &stop).expect("a server");
    let client = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a port");
    client.connect(address).await.expect("connected");
    (client, stop.drop_guard())
}

async fn ask(client: &tokio::net::UdpSocket, name: &str, kind: RecordType) -> (ResponseCode, Vec<String>) {
    let mut question = Message::new(7, MessageType::Query, OpCode::Query);
    question.add_query(Query::query(Name::from_ascii(name).expect("a name"), kind));
    client
        .send(&question.to_vec().expect("a message"))
        .await
        .expect("sent");
    let mut reply = [0; 512];
    let received = timeout(Duration::from_secs(5), client.recv(&mut reply)).await;
    let length = received.expect("in time").expect("received");
    let reply = Message::from_vec(&reply[..length]).expect("a reply");
    assert_eq!(reply.metadata.id, 7);
    let answers = reply.answers.iter().map(|record| record.data.to_string());
    (reply.metadata.response_code, answers.collect())
}

fn is(answers: &[&str]) -> (ResponseCode, Vec<String>) {
    (
        ResponseCode::NoError,
        answers.iter().map(ToString::to_string).collect(),
    )
}

fn attachment(network: &str, hostname: &str, ipv4: &str, ipv6: Option<&str>) -> Attachment {
    Attachment {
        network: network.to_owned(),
        hostname: hostname.to_owned(),
        ipv4_address: ipv4.to_owned(),
        ipv4_gateway: "10.0.0.1".to_owned(),
        ipv6_address: ipv6.map(str::to_owned),
        mac_address: None,
        mtu: None,
        variant: None,
    }
}

#[tokio::test]
async fn containers_have_names_with_a_domain() {
    let asked = AttachmentConfiguration {
        network: "default".to_owned(),
        options: AttachmentOptions {
            hostname: "Web.test.".to_owned(),
            aliases: vec!["www".to_owned()],
            mac_address: None,
            mtu: None,
            ipv4_address: None,
        },
    };
    let of = |attachments: &[Attachment], domain| Host::of(attachments, std::slice::from_ref(&asked), domain);
    let mut hosts = of(
        &[
            attachment("default", "Web.test.", "10.0.0.2/24", Some("fd00::2/64")),
            attachment("other", "db", "10.0.1.2/24", None),
        ],
        Some("test"),
    );
    let others = [("a.example.", "10.0.1.3/24"), ("lonely", "10.0.1.4/24")];
    let others = others.map(|(name, address)| attachment("other", name, address, None));
    hosts.extend(of(&others, None));
    let find = move |name: &str| {
        let host = hosts.iter().find(|host| host.is_named(name));
        host.map(|host| host.addresses)
    };
    let (client, _server) = client(find).await;
    assert_eq!(ask(&client, "web.test.", RecordType::A).await, is(&["10.0.0.2"]));
    assert_eq!(
        ask(&client, "WWW.test.", RecordType::AAAA).await,
        is(&["fd00::2"])
    );
    assert_eq!(ask(&client, "db.test.", RecordType::A).await, is(&["10.0.1.2"]));
    assert_eq!(ask(&client, "a.example.", RecordType::A).await, is(&["10.0.1.3"]));
    // A known name without such a record, and names that nobody has or that have no domain.
    assert_eq!(ask(&client, "db.test.", RecordType::AAAA).await, is(&[]));
    assert_eq!(ask(&client, "db.test.", RecordType::MX).await, is(&[]));
    for name in ["none.test.", "example.com.", "lonely.", "db."] {
        let (code, answers) = ask(&client, name, RecordType::A).await;
        assert_eq!((code, answers.len()), (ResponseCode::NXDomain, 0), "{name}");
    }
}

#[tokio::test]
async fn domains_come_and_go_with_their_files() {
    let etc = tempfile::tempdir().expect("a directory");
    let directory = etc.path().join("resolver");
    let domains = Domains::new(&directory);
    let (client, _server) = client(move |name: &str| domains.find(name)).await;
    let unknown = (ResponseCode::NXDomain, Vec::new());
    assert_eq!(ask(&client, "db.host.test.", RecordType::A).await, unknown);

    std::fs::create_dir(&directory).expect("a directory");
    let write = |domain: &str, address: Option<[u8; 4]>| {
        let text = resolver::content(domain, address.map(Ipv4Addr::from));
        std::fs::write(directory.join(resolver::file_name(domain)), text).expect("a file");
    };
    write("test", None);
    write("host.test", Some([203, 0, 113, 9]));
    write("in.host.test", Some([203, 0, 113, 10]));
    assert_eq!(
        ask(&client, "host.test.", RecordType::A).await,
        is(&["203.0.113.9"])
    );
    assert_eq!(
        ask(&client, "db.host.test.", RecordType::A).await,
        is(&["203.0.113.9"])
    );
    assert_eq!(
        ask(&client, "x.in.host.test.", RecordType::A).await,
        is(&["203.0.113.10"])
    );
    assert_eq!(ask(&client, "host.test.", RecordType::AAAA).await, is(&[]));
    assert_eq!(ask(&client, "test.", RecordType::A).await, unknown);
    assert_eq!(ask(&client, "ghost.test.", RecordType::A).await, unknown);

    std::fs::remove_file(directory.join(resolver::file_name("host.test"))).expect("removed");
    assert_eq!(ask(&client, "db.host.test.", RecordType::A).await, unknown);
}

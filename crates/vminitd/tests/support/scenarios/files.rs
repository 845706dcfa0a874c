//! Files of the guest.

use container_ipc::{Error, ErrorCode};
use container_sandbox::proto;
use proto::copy_request::Direction;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Guest, ROOT, soon};

impl Guest {
    fn copy_request(&self, direction: Direction, path: &str, is_archive: bool) -> proto::CopyRequest {
        proto::CopyRequest {
            direction: direction.into(),
            path: path.into(),
            mode: 0,
            create_parents: true,
            vsock_port: self.port(),
            is_archive,
            root: ROOT.into(),
            ..proto::CopyRequest::default()
        }
    }

    async fn copy_in(&self, path: &str, is_archive: bool, data: &[u8]) -> Result<(), Error> {
        let request = self.copy_request(Direction::CopyIn, path, is_archive);
        let mut listener = self.link.listen(request.vsock_port);
        let send = async {
            let mut stream = listener.accept().await;
            // An agent that does not like it hangs up.
            let _ = stream.write_all(data).await;
            let _ = stream.shutdown().await;
            let _ = stream.read_u8().await;
        };
        let work = async {
            let mut progress = self.agent.copy(request).await?;
            while progress.next().await?.is_some() {}
            Ok(())
        };
        soon(async { tokio::join!(work, send) }).await.0
    }

    async fn copy_out(&self, path: &str) -> Result<(proto::CopyResponse, Vec<u8>), Error> {
        let request = self.copy_request(Direction::CopyOut, path, false);
        let mut listener = self.link.listen(request.vsock_port);
        let receive = async {
            let mut data = Vec::new();
            let _ = listener.accept().await.read_to_end(&mut data).await;
            data
        };
        let work = async {
            let mut progress = self.agent.copy(request).await?;
            let metadata = progress.next().await?.expect("metadata");
            while progress.next().await?.is_some() {}
            Ok::<_, Error>(metadata)
        };
        let (metadata, data) = soon(async { tokio::join!(work, receive) }).await;
        Ok((metadata?, data))
    }
}

pub(crate) async fn archives_and_single_files(guest: &Guest) {
    let big: Vec<u8> = (0..3_000_000_u32).map(|n| (n ^ n >> 7) as u8).collect();
    guest.copy_in("/srv/new/file", false, &big).await.unwrap();
    assert_eq!(
        guest.script("stat -c '%a %u %s' /srv/new/file").await,
        "644 0 3000000\n"
    );
    let (metadata, data) = guest.copy_out("/srv/new/file").await.unwrap();
    assert_eq!((metadata.is_archive, metadata.total_size), (false, 3_000_000));
    assert!(data == big);

    guest
        .script("mkdir -p /tree/sub; echo one >/tree/a; echo two >/tree/sub/b; chmod 4750 /tree/a")
        .await;
    let (metadata, archive) = guest.copy_out("/tree").await.unwrap();
    assert!(metadata.is_archive);
    guest.copy_in("/copy/of", true, &archive).await.unwrap();
    assert_eq!(
        guest
            .script("cat /copy/of/a /copy/of/sub/b; stat -c %a /copy/of/a")
            .await,
        "one\ntwo\n750\n"
    );

    let error = guest.copy_out("/no/such").await.unwrap_err();
    assert!(error.message.contains("failed to copy /no/such"), "{error}");
    let error = guest
        .copy_in("/copy", true, b"this is no archive")
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::InternalError);
}

pub(crate) async fn copies_stay_in_their_root(guest: &Guest) {
    guest
        .script("busybox ln -s /../../../../run/escaped /way; mkdir -p /run")
        .await;
    guest.copy_in("/way", false, b"inside").await.unwrap();
    let stat = async |path: &str, root: &str| {
        let request = proto::StatRequest {
            path: path.into(),
            root: root.into(),
        };
        soon(guest.agent.stat(request)).await.unwrap()
    };
    assert!(stat("/run/escaped", "").await.stat.is_none());
    assert_eq!(stat("/run/escaped", ROOT).await.stat.unwrap().size, 6);
    assert_eq!(stat("/way", ROOT).await.stat.unwrap().size, 6);
}

pub(crate) async fn file_calls(guest: &Guest) {
    let agent = &guest.agent;
    let mkdir = |path: &str, all| proto::MkdirRequest {
        path: path.into(),
        all,
        perms: 0o750,
    };
    agent.mkdir(mkdir("/run/test/a/b", true)).await.unwrap();
    assert!(agent.mkdir(mkdir("/run/test/a/b", false)).await.is_err());
    let write = |path: &str| proto::WriteFileRequest {
        path: path.into(),
        data: vec![b'x'; 5 << 20],
        mode: 0,
        flags: Some(proto::write_file_request::WriteFileFlags {
            create_if_missing: true,
            ..Default::default()
        }),
    };
    // More than gRPC's default limit of a message.
    agent.write_file(write("/run/test/file")).await.unwrap();
    let stat = agent
        .stat(proto::StatRequest {
            path: "/run/test/file".into(),
            root: String::new(),
        })
        .await
        .unwrap();
    let stat = stat.stat.unwrap();
    assert_eq!((stat.size, stat.mode & 0o7777), (5 << 20, 0o644));
    agent
        .setenv(proto::SetenvRequest {
            key: "K".into(),
            value: Some("v".into()),
        })
        .await
        .unwrap();
    assert_eq!(
        agent
            .getenv(proto::GetenvRequest { key: "K".into() })
            .await
            .unwrap()
            .value
            .as_deref(),
        Some("v")
    );
    let settings = [("kernel.hostname".to_owned(), "renamed".to_owned())].into();
    agent.sysctl(proto::SysctlRequest { settings }).await.unwrap();
    let dns = proto::ConfigureDnsRequest {
        location: ROOT.into(),
        nameservers: vec!["10.0.2.3".into()],
        ..Default::default()
    };
    agent.configure_dns(dns).await.unwrap();
    assert_eq!(
        guest.script("cat /etc/resolv.conf").await,
        "nameserver 10.0.2.3\n"
    );
    let link = proto::IpLinkSetRequest {
        interface: "lo".into(),
        up: true,
        mtu: Some(1600),
    };
    agent.ip_link_set(link).await.unwrap();
    let address = |ipv4: &str| proto::IpAddrAddRequest {
        interface: "lo".into(),
        ipv4_address: ipv4.into(),
        ipv6_address: Some("fd00::5/64".into()),
    };
    agent.ip_addr_add(address("10.9.8.7/24")).await.unwrap();
    // Once more is no error.
    agent.ip_addr_add(address("10.9.8.7/24")).await.unwrap();
    assert_eq!(
        agent.ip_addr_add(address("10.9.8/24")).await.unwrap_err().code,
        ErrorCode::InvalidArgument
    );
    let route = proto::IpRouteAddLinkRequest {
        interface: "lo".into(),
        dst_ipv4_addr: "10.77.0.0/16".into(),
        src_ipv4_addr: "10.9.8.7".into(),
        dst_ipv6_addr: None,
        src_ipv6_addr: None,
    };
    agent.ip_route_add_link(route).await.unwrap();
    let said = guest.script("ip addr show lo; ip route").await;
    for part in [
        "mtu 1600",
        "inet 10.9.8.7/24",
        "inet6 fd00::5/64",
        "10.77.0.0/16 dev lo scope link  src 10.9.8.7",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let unknown = proto::IpLinkSetRequest {
        interface: "nosuch0".into(),
        up: true,
        mtu: None,
    };
    assert!(agent.ip_link_set(unknown).await.is_err());
}

pub(crate) async fn mounts(guest: &Guest) {
    guest
        .mount("tmpfs", "tmpfs", "/run/a/b", &["size=1m", "nodev", "ro"])
        .await;
    let write = proto::WriteFileRequest {
        path: "/run/a/b/c".into(),
        flags: Some(proto::write_file_request::WriteFileFlags {
            create_if_missing: true,
            ..Default::default()
        }),
        ..Default::default()
    };
    assert!(
        guest
            .agent
            .write_file(write.clone())
            .await
            .unwrap_err()
            .message
            .contains("Read-only")
    );
    let umount = |path: &str| proto::UmountRequest {
        path: path.into(),
        flags: 0,
    };
    guest.agent.umount(umount("/run/a/b")).await.unwrap();
    guest.agent.write_file(write).await.unwrap();
    assert!(guest.agent.umount(umount("/run/a/b")).await.is_err());
    // One that is busy is tried for half a second.
    guest.mount("tmpfs", "tmpfs", "/run/busy", &[]).await;
    guest
        .mount("none", "/run/a/b/c", "/run/busy/file", &["bind", "ro"])
        .await;
    let begun = std::time::Instant::now();
    let error = guest.agent.umount(umount("/run/busy")).await.unwrap_err();
    assert!(error.message.contains("failed to unmount /run/busy"), "{error}");
    assert!(begun.elapsed() >= std::time::Duration::from_millis(500));
    guest.agent.umount(umount("/run/busy/file")).await.unwrap();
    guest.agent.umount(umount("/run/busy")).await.unwrap();
    let bad = proto::MountRequest {
        r#type: "nosuchfs".into(),
        destination: "/run/x".into(),
        ..Default::default()
    };
    assert_eq!(
        guest.agent.mount(bad).await.unwrap_err().code,
        ErrorCode::InternalError
    );
}

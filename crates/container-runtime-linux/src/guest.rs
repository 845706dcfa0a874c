//! Setting the guest up between its boot and the container's first process (behaviour reference, 28.3).

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use container_ipc::Error;
use container_resource::subnet::{self, Ipv4Net, Ipv6Net};
use container_resource::{Attachment, ContainerConfiguration, ExtraHost};
use container_sandbox::Agent;
use container_sandbox::proto::{
    ConfigureDnsRequest, ConfigureHostsRequest, IpAddrAddRequest, IpLinkSetRequest, IpRouteAddDefaultRequest,
    IpRouteAddLinkRequest, MkdirRequest, MountRequest, SetTimeRequest, WriteFileRequest,
    configure_hosts_request::HostsEntry,
};

use crate::process::limited;
use crate::spec;

/// The agent's own binary in the guest.
pub(crate) const AGENT_PATH: &str = "/sbin/vminitd";
/// The container image's disk, read-only.
const IMAGE_DISK: &str = "/dev/vdb";
/// The container's own disk.
const SCRATCH_DISK: &str = "/dev/vdc";
/// The directories on the scratch disk that hold the container's changes and the overlay's own files.
pub(crate) const SCRATCH_DIRECTORIES: [&str; 2] = ["upper", "work"];

/// Where the container's root file system is mounted in the guest.
pub(crate) fn root_path(id: &str) -> String {
    format!("/run/container/{id}/rootfs")
}

/// The directories that the container's root file system is an overlay of.
#[derive(Debug)]
pub(crate) struct Layers {
    /// The image.
    pub lower: String,
    /// What the container has changed.
    pub upper: String,
}

/// Where in the guest the layers of the container's root file system are.
pub(crate) fn layers(id: &str) -> Layers {
    let directory = format!("/run/container/{id}");
    Layers {
        lower: format!("{directory}/image"),
        upper: format!("{directory}/scratch/{}", SCRATCH_DIRECTORIES[0]),
    }
}

/// Mounts the container's root: its image below, its own disk above.
///
/// # Errors
/// A disk cannot be mounted.
pub(crate) async fn mount_root(agent: &Agent, id: &str) -> Result<(), Error> {
    let directory = format!("/run/container/{id}");
    let (image, scratch) = (format!("{directory}/image"), format!("{directory}/scratch"));
    let [upper, work] = SCRATCH_DIRECTORIES;
    tokio::try_join!(
        mount(agent, "erofs", IMAGE_DISK, &image, vec!["ro".to_owned()]),
        mount(
            agent,
            "ext4",
            SCRATCH_DISK,
            &scratch,
            ["noatime", "discard"].map(str::to_owned).into()
        ),
    )?;
    let overlay = vec![
        format!("lowerdir={image}"),
        format!("upperdir={scratch}/{upper}"),
        format!("workdir={scratch}/{work}"),
    ];
    mount(agent, "overlay", "overlay", &root_path(id), overlay).await
}

/// Mounts volumes and the host's directories where the container has them, in the root as the agent sees it.
///
/// # Errors
/// The guest's kernel refuses.
pub(crate) async fn bind_mounts(agent: &Agent, configuration: &ContainerConfiguration) -> Result<(), Error> {
    let mut mounts = spec::host_mounts(configuration);
    mounts.sort_by_key(|(_, destination)| Path::new(destination).components().count());
    for (source, destination) in mounts {
        let request = MountRequest {
            source,
            destination: destination.to_owned(),
            options: vec!["bind".to_owned()],
            root: root_path(&configuration.id),
            ..MountRequest::default()
        };
        agent.mount(request).await?;
    }
    Ok(())
}

/// Mounts a file system in the guest.
///
/// # Errors
/// The guest's kernel refuses.
pub(crate) async fn mount(
    agent: &Agent,
    kind: &str,
    source: &str,
    destination: &str,
    options: Vec<String>,
) -> Result<(), Error> {
    let request = MountRequest {
        r#type: kind.to_owned(),
        source: source.to_owned(),
        destination: destination.to_owned(),
        options,
        root: String::new(),
    };
    agent.mount(request).await.map(|_| ())
}

/// Brings up the loopback interface and `eth0…`, one per attachment; the default route goes through the first.
///
/// # Errors
/// An interface is missing or refuses its address.
pub(crate) async fn configure_network(agent: &Agent, attachments: &[Attachment]) -> Result<(), Error> {
    link_up(agent, "lo", None).await?;
    for (index, attachment) in attachments.iter().enumerate() {
        let interface = format!("eth{index}");
        let address = IpAddrAddRequest {
            interface: interface.clone(),
            ipv4_address: attachment.ipv4_address.clone(),
            ipv6_address: attachment.ipv6_address.clone(),
        };
        agent.ip_addr_add(address).await?;
        link_up(agent, &interface, attachment.mtu).await?;
        if index == 0 {
            if let Some(route) = link_route(&interface, attachment) {
                agent.ip_route_add_link(route).await?;
            }
            let route = IpRouteAddDefaultRequest {
                interface,
                ipv4_gateway: attachment.ipv4_gateway.clone(),
                ipv6_gateway: ipv6_gateway(attachment),
            };
            agent.ip_route_add_default(route).await?;
        }
    }
    Ok(())
}

/// The route to a gateway that is outside of its subnet.
fn link_route(interface: &str, attachment: &Attachment) -> Option<IpRouteAddLinkRequest> {
    let own: Ipv4Net = attachment.ipv4_address.parse().ok()?;
    let gateway: Ipv4Addr = attachment.ipv4_gateway.parse().ok()?;
    (!own.contains(&gateway)).then(|| IpRouteAddLinkRequest {
        interface: interface.to_owned(),
        dst_ipv4_addr: format!("{gateway}/32"),
        src_ipv4_addr: own.addr().to_string(),
        ..IpRouteAddLinkRequest::default()
    })
}

/// The way out over IPv6: the first address of the network.
fn ipv6_gateway(attachment: &Attachment) -> Option<String> {
    let own: Ipv6Net = attachment.ipv6_address.as_deref()?.parse().ok()?;
    Some(subnet::ipv6_gateway(own).to_string())
}

async fn link_up(agent: &Agent, interface: &str, mtu: Option<u32>) -> Result<(), Error> {
    let request = IpLinkSetRequest {
        interface: interface.to_owned(),
        up: true,
        mtu,
    };
    agent.ip_link_set(request).await.map(|_| ())
}

/// Writes `/etc/hosts` and, unless the container keeps its image's, `/etc/resolv.conf`.
///
/// # Errors
/// The root file system cannot be written, or a name server is no address.
pub(crate) async fn configure_names(
    agent: &Agent,
    configuration: &ContainerConfiguration,
    attachments: &[Attachment],
    default_nameserver: Option<&str>,
) -> Result<(), Error> {
    let location = root_path(&configuration.id);
    let etc = MkdirRequest {
        path: format!("{location}/etc"),
        all: true,
        perms: 0o755,
    };
    agent.mkdir(etc).await?;
    let hosts = ConfigureHostsRequest {
        location: location.clone(),
        entries: hosts(
            &spec::hostname(configuration),
            &configuration.extra_hosts,
            attachments,
        ),
        comment: None,
    };
    let resolver = configuration.dns.as_ref().map(|dns| {
        let mut nameservers = dns.nameservers.clone();
        if nameservers.is_empty() {
            nameservers.extend(default_nameserver.map(str::to_owned));
        }
        ConfigureDnsRequest {
            location,
            nameservers,
            domain: dns.domain.clone(),
            search_domains: dns.search_domains.clone(),
            options: dns.options.clone(),
        }
    });
    let configure_dns = async {
        match resolver {
            Some(resolver) => agent.configure_dns(resolver).await.map(|_| ()),
            None => Ok(()),
        }
    };
    tokio::try_join!(agent.configure_hosts(hosts), configure_dns).map(|_| ())
}

fn hosts(hostname: &str, extra: &[ExtraHost], attachments: &[Attachment]) -> Vec<HostsEntry> {
    let entry = |address: &str, name: &str| HostsEntry {
        ip_address: address.to_owned(),
        hostnames: vec![name.to_owned()],
        comment: None,
    };
    let own = attachments.first().map(|first| {
        let address = first.ipv4_address.split('/').next().unwrap_or_default();
        entry(address, hostname)
    });
    let gateway = attachments.first().map(|first| first.ipv4_gateway.as_str());
    let extra = extra.iter().filter_map(|host| {
        let address = match host.address.as_str() {
            // Without a network the host is nowhere.
            ExtraHost::GATEWAY => gateway?,
            address => address,
        };
        Some(entry(address, &host.hostname))
    });
    [entry("127.0.0.1", "localhost")]
        .into_iter()
        .chain(own)
        .chain(extra)
        .collect()
}

/// Freezes the processes of the container `id`, or lets them go on.
///
/// # Errors
/// The agent does not answer, or the container has ended.
pub(crate) async fn freeze(agent: &Agent, id: &str, frozen: bool) -> Result<(), Error> {
    let request = WriteFileRequest {
        path: format!("/sys/fs/cgroup/container/{id}/cgroup.freeze"),
        data: if frozen { b"1" } else { b"0" }.to_vec(),
        ..WriteFileRequest::default()
    };
    limited(agent.write_file(request)).await.map(|_| ())
}

/// Sets the guest's wall clock to the host's.
///
/// # Errors
/// The agent does not answer.
pub(crate) async fn set_time(agent: &Agent) -> Result<(), Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let request = SetTimeRequest {
        sec: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
        usec: i32::try_from(now.subsec_micros()).unwrap_or(0),
    };
    agent.set_time(request).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attachment() -> Attachment {
        Attachment {
            network: "default".to_owned(),
            hostname: "web.test.".to_owned(),
            ipv4_address: "10.0.2.15/24".to_owned(),
            ipv4_gateway: "10.0.2.2".to_owned(),
            ipv6_address: Some("fd00::f001:2ff:fe03:405/64".to_owned()),
            mac_address: None,
            mtu: None,
            variant: None,
        }
    }

    #[test]
    fn routes() {
        assert_eq!(ipv6_gateway(&attachment()).as_deref(), Some("fd00::1"));
        assert_eq!(link_route("eth0", &attachment()), None);
        let outside = Attachment {
            ipv4_gateway: "10.0.3.1".to_owned(),
            ipv6_address: None,
            ..attachment()
        };
        let route = link_route("eth0", &outside).expect("a route");
        assert_eq!(
            (route.dst_ipv4_addr.as_str(), route.src_ipv4_addr.as_str()),
            ("10.0.3.1/32", "10.0.2.15")
        );
        assert_eq!(ipv6_gateway(&outside), None);
    }

    #[test]
    fn hosts_names_the_container_by_its_first_address() {
        let extra =
            [("db", "192.0.2.1"), ("host", ExtraHost::GATEWAY)].map(|(hostname, address)| ExtraHost {
                hostname: hostname.to_owned(),
                address: address.to_owned(),
            });
        let lines = |entries: Vec<HostsEntry>| -> Vec<String> {
            entries
                .iter()
                .map(|entry| format!("{} {}", entry.ip_address, entry.hostnames.join(" ")))
                .collect()
        };
        assert_eq!(
            lines(hosts("web", &extra, &[attachment()])),
            [
                "127.0.0.1 localhost",
                "10.0.2.15 web",
                "192.0.2.1 db",
                "10.0.2.2 host"
            ]
        );
        assert_eq!(
            lines(hosts("web", &extra, &[])),
            ["127.0.0.1 localhost", "192.0.2.1 db"]
        );
    }
}

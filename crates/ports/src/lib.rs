//! Published ports: listeners of the host whose connections go on to the container (behaviour reference, 9.1 and 17).
//!
//! They are bound before the virtual machine boots, so that a conflict costs nothing, and serve from its boot to its end.

mod connector;
mod datagrams;
mod error;
mod gate;
mod listen;
#[cfg(target_os = "linux")]
mod pool;
mod pump;
mod tcp;
mod udp;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use container_resource::network::PublishProtocol;
use container_resource::{Attachment, PublishPort};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use connector::{Connector, Direct};
pub use error::Error;
pub use gate::raise_descriptor_limit;
#[cfg(target_os = "linux")]
pub use pool::SocketPool;

use datagrams::Datagrams;
use gate::Gate;

/// Host ports that are bound and wait for the container.
#[derive(Debug, Default)]
pub struct Ports {
    bound: Vec<Bound>,
    published: Vec<PublishPort>,
}

/// One listener.
#[derive(Debug)]
struct Bound {
    socket: Socket,
    /// Whether the container's IPv6 address is meant.
    ipv6: bool,
    container_port: u16,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Udp(Datagrams),
}

/// Where the container is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Its IPv4 address.
    pub ipv4: Ipv4Addr,
    /// Its IPv6 address, if it is known.
    pub ipv6: Option<Ipv6Addr>,
}

impl Target {
    /// The addresses of an interface; `None` when it has no readable one.
    pub fn of(attachment: &Attachment) -> Option<Self> {
        let bare = |text: &str| text.split('/').next().unwrap_or_default().to_owned();
        Some(Self {
            ipv4: bare(&attachment.ipv4_address).parse().ok()?,
            ipv6: attachment
                .ipv6_address
                .as_deref()
                .and_then(|text| bare(text).parse().ok()),
        })
    }
}

impl Ports {
    /// Binds every port. Whoever connects now waits until [`serve`](Self::serve).
    ///
    /// # Errors
    /// A port is taken, needs privileges, or its address is not one of this host; then none is bound.
    pub fn bind(published: &[PublishPort]) -> Result<Self, Error> {
        let mut ports = Self::default();
        for port in published {
            let mut actual = port.clone();
            for offset in 0..port.count {
                let socket = listen::bind(port, offset)?;
                if port.host_port == 0 {
                    actual.host_port = listen::port(&socket)?;
                }
                ports.bound.push(Bound {
                    socket,
                    ipv6: port.host_address.contains(':'),
                    // The parser of the option has seen that the last port of a range is one.
                    container_port: port.container_port.saturating_add(offset),
                });
            }
            ports.published.push(actual);
        }
        Ok(ports)
    }

    /// What was asked for, with the ports that the system chose.
    pub fn published(&self) -> &[PublishPort] {
        &self.published
    }

    /// Forwards to `target` from now on, through sockets of `connector`.
    ///
    /// # Errors
    /// A port of an IPv6 address is published, and the container's IPv6 address is not known.
    pub fn serve(self, target: Target, connector: impl Connector) -> Result<Forwarding, Error> {
        let addressed = self.bound.into_iter().map(|bound| {
            let address: IpAddr = match target.ipv6 {
                Some(ipv6) if bound.ipv6 => ipv6.into(),
                None if bound.ipv6 => return Err(Error::UnknownIpv6),
                _ => target.ipv4.into(),
            };
            Ok((bound.socket, SocketAddr::new(address, bound.container_port)))
        });
        let addressed = addressed.collect::<Result<Vec<_>, _>>()?;
        let (connector, gate) = (Arc::new(connector), Arc::new(Gate::new()));
        let mut tasks = JoinSet::new();
        for (socket, to) in addressed {
            let connector = Arc::clone(&connector);
            match socket {
                Socket::Tcp(listener) => tasks.spawn(tcp::serve(listener, to, connector, Arc::clone(&gate))),
                Socket::Udp(socket) => tasks.spawn(udp::serve(socket, to, connector)),
            };
        }
        Ok(Forwarding { tasks })
    }
}

/// Ports that are forwarded; dropped, they are not any more.
#[derive(Debug, Default)]
pub struct Forwarding {
    tasks: JoinSet<()>,
}

impl Forwarding {
    /// Ends every connection and frees every port.
    pub async fn end(mut self) {
        self.tasks.shutdown().await;
    }
}

/// How a port is written in messages: `127.0.0.1:8080/tcp`.
fn name(address: &SocketAddr, protocol: PublishProtocol) -> String {
    match protocol {
        PublishProtocol::Tcp => format!("{address}/tcp"),
        PublishProtocol::Udp => format!("{address}/udp"),
    }
}

#[cfg(test)]
mod tests;

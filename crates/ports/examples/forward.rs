//! `forward <host port> <port>`: a published port in front of a server of this host, without a virtual machine;
//! `scripts/bench/ports.sh` measures it. It says when it listens and ends with its standard input.

use std::io::Read;
use std::net::Ipv4Addr;

use anyhow::Context;
use container_ports::{Direct, Ports, Target, raise_descriptor_limit};
use container_resource::PublishPort;
use container_resource::network::PublishProtocol;

fn main() -> anyhow::Result<()> {
    let ports: Vec<u16> = std::env::args()
        .skip(1)
        .map(|text| text.parse().context("not a port"))
        .collect::<Result<_, _>>()?;
    let [host_port, container_port] = ports[..] else {
        anyhow::bail!("usage: forward <host port> <port>");
    };
    raise_descriptor_limit();
    // What the helper of a container has.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let published = [PublishProtocol::Tcp, PublishProtocol::Udp].map(|proto| PublishPort {
            host_address: Ipv4Addr::LOCALHOST.to_string(),
            host_port,
            container_port,
            proto,
            count: 1,
        });
        let target = Target {
            ipv4: Ipv4Addr::LOCALHOST,
            ipv6: None,
        };
        let forwarding = Ports::bind(&published)?.serve(target, Direct)?;
        println!("listening");
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
        forwarding.end().await;
        anyhow::Ok(())
    })
}

//! Network interfaces, addresses and routes: the few rtnetlink requests that a container's network takes.
//!
//! Requests act on the network namespace of the calling thread.

#![cfg(target_os = "linux")]

mod address;
mod link;
mod message;
mod route;
mod tap;

use std::io;

use message::{Message, verdict};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

pub use address::{Cidr, add_address};
pub use link::{add_bridge, add_veth, delete_link, link_exists, link_names, set_link, set_master};
pub use route::{Route, add_route, claim_route, delete_route};
pub use tap::{TAP_DEVICE, make_tap};

fn request(message: Message) -> io::Result<()> {
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        // NETLINK_ROUTE is protocol 0, which no type can be made for.
        None,
    )?;
    rustix::net::connect(&socket, &SocketAddrNetlink::new(0, 0))?;
    rustix::net::send(&socket, &message.finish(), SendFlags::empty())?;
    let mut answer = [0; 4096];
    loop {
        let (_, length) = rustix::net::recv(&socket, &mut answer[..], RecvFlags::empty())?;
        match verdict(&answer[..length.min(4096)]) {
            Some(Ok(())) => return Ok(()),
            Some(Err(error)) => return Err(io::Error::from_raw_os_error(error)),
            None => {}
        }
    }
}

//! Interfaces.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::message::{Attributes, Message};
use crate::request;

/// Of `<linux/veth.h>`: the other end.
const VETH_INFO_PEER: u16 = 1;
/// Of `<linux/if_link.h>`: whether a bridge looks into multicast group messages.
const IFLA_BR_MCAST_SNOOPING: u16 = 23;

/// Brings an interface up or down, and sets the size of its largest packet in bytes.
///
/// # Errors
/// There is no such interface, or the kernel refuses.
pub fn set_link(name: &str, up: bool, mtu: Option<u32>) -> io::Result<()> {
    let flags = if up { libc::IFF_UP as u32 } else { 0 };
    // Only this flag changes.
    let body = header(index_of(name)?, flags, libc::IFF_UP as u32);
    let mut message = Message::new(libc::RTM_NEWLINK, 0, &body);
    if let Some(mtu) = mtu {
        message = message.attribute(libc::IFLA_MTU, &mtu.to_ne_bytes());
    }
    request(message)
}

/// Makes an interface a port of a bridge.
///
/// # Errors
/// One of them is not there, or the kernel refuses.
pub fn set_master(name: &str, bridge: &str) -> io::Result<()> {
    let body = header(index_of(name)?, 0, 0);
    let master = index_of(bridge)?.to_ne_bytes();
    request(Message::new(libc::RTM_NEWLINK, 0, &body).attribute(libc::IFLA_MASTER, &master))
}

/// Makes a bridge that forwards from the first moment and passes all multicast on. Its own hardware address stays `mac`
/// whatever ports it gets.
///
/// # Errors
/// The name is taken, or the kernel refuses.
pub fn add_bridge(name: &str, mac: [u8; 6]) -> io::Result<()> {
    let data = Attributes::default().with(IFLA_BR_MCAST_SNOOPING, &[0]);
    let message = create(name).attribute(libc::IFLA_ADDRESS, &mac);
    request(message.nested(libc::IFLA_LINKINFO, &info("bridge", &data)))
}

/// Makes a pair of connected interfaces: `name` here, `peer` in the network namespace `namespace`.
///
/// # Errors
/// A name is taken, or the kernel refuses.
pub fn add_veth(name: &str, peer: &str, namespace: BorrowedFd<'_>) -> io::Result<()> {
    let other = Attributes::fixed(&header(0, 0, 0))
        .with(libc::IFLA_IFNAME, &zero_terminated(peer))
        .with(libc::IFLA_NET_NS_FD, &namespace.as_raw_fd().to_ne_bytes());
    let data = Attributes::default().with(VETH_INFO_PEER, other.bytes());
    request(create(name).nested(libc::IFLA_LINKINFO, &info("veth", &data)))
}

/// Removes an interface. One that is not there is fine.
///
/// # Errors
/// The kernel refuses.
pub fn delete_link(name: &str) -> io::Result<()> {
    let index = match index_of(name) {
        Ok(index) => index,
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => return Ok(()),
        Err(error) => return Err(error),
    };
    match request(Message::new(libc::RTM_DELLINK, 0, &header(index, 0, 0))) {
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(()),
        done => done,
    }
}

/// Whether there is an interface of this name.
///
/// # Errors
/// The kernel does not tell.
pub fn link_exists(name: &str) -> io::Result<bool> {
    match index_of(name) {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The names of all interfaces.
///
/// # Errors
/// `/proc` is not there.
pub fn link_names() -> io::Result<Vec<String>> {
    let table = std::fs::read_to_string("/proc/thread-self/net/dev")?;
    Ok(names(&table))
}

/// The first column of `/proc/net/dev`, below its two lines of titles.
fn names(table: &str) -> Vec<String> {
    let lines = table.lines().skip(2);
    lines
        .filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned()))
        .collect()
}

pub(crate) fn index_of(name: &str) -> io::Result<u32> {
    let socket =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    Ok(rustix::net::netdevice::name_to_index(&socket, name)?)
}

/// `struct ifinfomsg`.
fn header(index: u32, flags: u32, change: u32) -> Vec<u8> {
    let mut body = vec![libc::AF_UNSPEC as u8, 0, 0, 0];
    body.extend(index.to_ne_bytes());
    body.extend(flags.to_ne_bytes());
    body.extend(change.to_ne_bytes());
    body
}

fn create(name: &str) -> Message {
    Message::new(
        libc::RTM_NEWLINK,
        libc::NLM_F_CREATE | libc::NLM_F_EXCL,
        &header(0, 0, 0),
    )
    .attribute(libc::IFLA_IFNAME, &zero_terminated(name))
}

fn info(kind: &str, data: &Attributes) -> Attributes {
    Attributes::default()
        .with(libc::IFLA_INFO_KIND, kind.as_bytes())
        .with(libc::IFLA_INFO_DATA, data.bytes())
}

fn zero_terminated(name: &str) -> Vec<u8> {
    [name.as_bytes(), &[0]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_that_is_not_there_is_an_error() {
        assert_eq!(
            set_link("nosuch0", true, None).unwrap_err().raw_os_error(),
            Some(libc::ENODEV)
        );
        assert!(!link_exists("nosuch0").unwrap());
        assert!(link_exists("lo").unwrap());
        assert!(link_names().unwrap().contains(&"lo".to_owned()));
        delete_link("nosuch0").unwrap();
    }

    #[test]
    fn names_are_the_first_column() {
        let table = "Inter-|   Receive\n face |bytes\n    lo: 1 2\ncn-0:3 4\n";
        assert_eq!(names(table), ["lo", "cn-0"]);
        assert!(names("").is_empty());
    }
}

//! Being told when something happens to the host's interfaces or rules.

use std::io;
use std::num::NonZeroU32;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SocketFlags, SocketType};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Of `<linux/rtnetlink.h>`: interfaces come, go and change.
const RTMGRP_LINK: u32 = 1;

/// Of `<linux/netlink.h>`: the family of packet filters.
const NETFILTER: Protocol = Protocol::from_raw(NonZeroU32::new(12).unwrap());
/// Of `<linux/netfilter/nfnetlink.h>`: a change of the rules, group 7 as a bit.
const NFTABLES: u32 = 1 << 6;

/// Tells that something happened.
#[derive(Debug)]
pub(super) struct Monitor(AsyncFd<OwnedFd>);

impl Monitor {
    /// Watches the interfaces of this namespace.
    ///
    /// # Errors
    /// The system refuses.
    pub(super) fn of_links() -> io::Result<Self> {
        Self::of(None, RTMGRP_LINK)
    }

    /// Watches the rules of this namespace.
    ///
    /// # Errors
    /// The system refuses.
    pub(super) fn of_rules() -> io::Result<Self> {
        Self::of(Some(NETFILTER), NFTABLES)
    }

    fn of(protocol: Option<Protocol>, groups: u32) -> io::Result<Self> {
        let socket = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            protocol,
        )?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, groups))?;
        // SAFETY: an `OwnedFd` always gives the one descriptor that it keeps open.
        let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }?;
        Ok(Self(socket))
    }

    /// Waits until something happened since the last time.
    ///
    /// # Errors
    /// The socket failed.
    pub(super) async fn event(&self) -> io::Result<()> {
        let mut buffer = [0_u8; 4096];
        loop {
            let mut ready = self.0.readable().await?;
            let mut any = false;
            loop {
                match rustix::net::recv(self.0.get_ref(), &mut buffer[..], RecvFlags::DONTWAIT) {
                    // More happened than the socket holds.
                    Ok(_) | Err(Errno::NOBUFS) => any = true,
                    Err(Errno::AGAIN) => break,
                    Err(error) => return Err(error.into()),
                }
            }
            ready.clear_ready();
            if any {
                return Ok(());
            }
        }
    }
}

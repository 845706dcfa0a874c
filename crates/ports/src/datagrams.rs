//! A UDP socket that answers from the address it was asked at.
//!
//! One that is bound to every address of a host would answer from whichever the way back begins with, and a client that
//! asked another one does not take that for its answer.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::AsRawFd;

use nix::libc;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt, sockopt,
};
use socket2::Socket;
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// The socket of one published port.
#[derive(Debug)]
pub(crate) struct Datagrams(UdpSocket);

/// Who talks with whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Conversation {
    /// The other side.
    pub(crate) client: SocketAddr,
    /// The host's address that it sends to.
    pub(crate) asked: IpAddr,
}

impl Datagrams {
    /// Serves `socket`, which is bound to `address`.
    ///
    /// # Errors
    /// The system cannot say where datagrams are sent to.
    pub(crate) fn new(socket: Socket, address: SocketAddr) -> io::Result<Self> {
        match address {
            SocketAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?,
            SocketAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?,
        }
        UdpSocket::from_std(socket.into()).map(Self)
    }

    /// The address it is bound to.
    ///
    /// # Errors
    /// The system does not say.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Waits for a datagram; gives its length in bytes.
    ///
    /// # Errors
    /// The system's own.
    pub(crate) async fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Conversation)> {
        self.0
            .async_io(Interest::READABLE, || receive(&self.0, buffer))
            .await
    }

    /// Sends an answer.
    ///
    /// # Errors
    /// The system's own.
    pub(crate) async fn answer(&self, datagram: &[u8], to: Conversation) -> io::Result<()> {
        self.0
            .async_io(Interest::WRITABLE, || answer(&self.0, datagram, to))
            .await
    }
}

fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, Conversation)> {
    let mut parts = [IoSliceMut::new(buffer)];
    let mut control = nix::cmsg_space!(libc::in6_pktinfo);
    let received = recvmsg::<SockaddrStorage>(
        socket.as_raw_fd(),
        &mut parts,
        Some(&mut control),
        MsgFlags::empty(),
    )?;
    let asked = received.cmsgs()?.find_map(|message| match message {
        // The first is macOS's, which has no other; of a broadcast it is not the host's own address.
        ControlMessageOwned::Ipv4PacketInfo(info) if info.ipi_spec_dst.s_addr == 0 => {
            Some(ipv4(info.ipi_addr))
        }
        ControlMessageOwned::Ipv4PacketInfo(info) => Some(ipv4(info.ipi_spec_dst)),
        ControlMessageOwned::Ipv6PacketInfo(info) => Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into()),
        _ => None,
    });
    let client = received.address.as_ref().and_then(socket_address);
    let (Some(client), Some(asked)) = (client, asked) else {
        return Err(io::Error::other("a datagram came without its addresses"));
    };
    Ok((received.bytes, Conversation { client, asked }))
}

fn answer(socket: &UdpSocket, datagram: &[u8], to: Conversation) -> io::Result<()> {
    let (info4, info6);
    let from = match to.asked {
        IpAddr::V4(address) => {
            info4 = libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: libc::in_addr {
                    s_addr: u32::from_ne_bytes(address.octets()),
                },
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            ControlMessage::Ipv4PacketInfo(&info4)
        }
        IpAddr::V6(address) => {
            info6 = libc::in6_pktinfo {
                ipi6_addr: libc::in6_addr {
                    s6_addr: address.octets(),
                },
                ipi6_ifindex: 0,
            };
            ControlMessage::Ipv6PacketInfo(&info6)
        }
    };
    sendmsg(
        socket.as_raw_fd(),
        &[IoSlice::new(datagram)],
        &[from],
        MsgFlags::empty(),
        Some(&SockaddrStorage::from(to.client)),
    )?;
    Ok(())
}

fn ipv4(address: libc::in_addr) -> IpAddr {
    Ipv4Addr::from(address.s_addr.to_ne_bytes()).into()
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    let ipv4 = address
        .as_sockaddr_in()
        .map(|address| SocketAddr::V4(SocketAddrV4::from(*address)));
    let ipv6 = address
        .as_sockaddr_in6()
        .map(|address| SocketAddr::V6(SocketAddrV6::from(*address)));
    ipv4.or(ipv6)
}

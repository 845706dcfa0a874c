//! Addresses of the network that all machines behind the host's address translation share.

use std::io;
use std::net::Ipv4Addr;
use std::path::Path;

use container_ipc::{LockFile, ensure_private_dir};

/// The host, which is the way out, unless its administrator chose another network.
pub(super) const GATEWAY: Ipv4Addr = host(1);
/// Length of the network's prefix.
pub(super) const PREFIX: u8 = 24;

/// An address, and what keeps others from it.
pub(super) type Claim = (Ipv4Addr, LockFile);

/// Claims a free address. Every helper does so by locks in the same directory, so none needs another one's help. They
/// begin at the end of the network, since the host's DHCP server, which other virtual machines ask, begins at its start.
pub(super) fn claim(directory: &Path) -> io::Result<Claim> {
    ensure_private_dir(directory).map_err(io::Error::other)?;
    for address in (2..=254).rev().map(host) {
        if let Some(claim) = LockFile::claim(&directory.join(address.to_string()))? {
            return Ok((address, claim));
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AddrNotAvailable,
        "every address is taken",
    ))
}

const fn host(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 168, 64, number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_claimed_once_and_come_back() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("addresses");
        let mut claims = Vec::new();
        for number in (2..=254).rev() {
            let (address, claim) = claim(&path)?;
            assert_eq!(address, host(number));
            assert_eq!(address.octets()[..3], GATEWAY.octets()[..3]);
            assert_eq!(PREFIX, 24);
            claims.push(claim);
        }
        let none = claim(&path)
            .map(|(address, _)| address)
            .map_err(|error| error.kind());
        assert_eq!(none, Err(io::ErrorKind::AddrNotAvailable));
        drop(claims.remove(7));
        assert_eq!(claim(&path)?.0, host(247));
        Ok(())
    }
}

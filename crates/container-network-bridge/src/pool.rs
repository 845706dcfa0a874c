//! Which IPv4 addresses of a network are free (behaviour reference, 15.2).
//!
//! Addresses go out in the order in which they became free: those that were never used first, from the second after the
//! subnet's own on, then those that were given back longest ago. So an address that a stopped container had stays free
//! for it for as long as the subnet allows.

use std::collections::{HashSet, VecDeque};
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// The free addresses of a subnet.
#[derive(Debug)]
pub(crate) struct Pool {
    subnet: Ipv4Net,
    /// The first one that was never looked at.
    next: u32,
    /// Behind the last one.
    end: u32,
    /// Given back, oldest first.
    used: VecDeque<u32>,
    /// What `used` holds.
    waiting: HashSet<u32>,
    taken: HashSet<u32>,
}

impl Pool {
    /// The pool of `subnet`, of which `used` were leased before, oldest first.
    pub(crate) fn new(subnet: Ipv4Net, used: impl IntoIterator<Item = Ipv4Addr>) -> Self {
        let first = u32::from(subnet.network());
        let mut pool = Self {
            subnet,
            next: first.saturating_add(2),
            end: u32::from(subnet.broadcast()).saturating_sub(1),
            used: VecDeque::new(),
            waiting: HashSet::new(),
            taken: HashSet::new(),
        };
        for address in used.into_iter().map(u32::from) {
            if (pool.next..pool.end).contains(&address) && pool.waiting.insert(address) {
                pool.used.push_back(address);
            }
        }
        pool
    }

    /// Whether a container may have `address` at all.
    pub(crate) fn is_assignable(&self, address: Ipv4Addr) -> bool {
        let number = u32::from(address);
        self.subnet.contains(&address)
            && number > u32::from(self.subnet.network()) + 1
            && address != self.subnet.broadcast()
    }

    /// Takes `address`; false when somebody has it.
    pub(crate) fn take(&mut self, address: Ipv4Addr) -> bool {
        let address = u32::from(address);
        if !self.taken.insert(address) {
            return false;
        }
        if self.waiting.remove(&address) {
            self.used.retain(|&used| used != address);
        }
        true
    }

    /// Takes the address that has been free for longest and that `usable` does not object to.
    pub(crate) fn take_any(&mut self, usable: impl Fn(Ipv4Addr) -> bool) -> Option<Ipv4Addr> {
        while self.next < self.end {
            let address = self.next;
            self.next += 1;
            if self.taken.contains(&address) || self.waiting.contains(&address) {
                continue;
            }
            if usable(address.into()) {
                self.taken.insert(address);
                return Some(address.into());
            }
            self.waiting.insert(address);
            self.used.push_back(address);
        }
        let position = self.used.iter().position(|&address| usable(address.into()))?;
        let address = self.used.remove(position)?;
        self.waiting.remove(&address);
        self.taken.insert(address);
        Some(address.into())
    }

    /// Gives an address back.
    pub(crate) fn release(&mut self, address: Ipv4Addr) {
        let address = u32::from(address);
        // One beyond `next` comes up again by itself, and one outside of the pool only when it is asked for.
        if self.taken.remove(&address) && address < self.next && self.waiting.insert(address) {
            self.used.push_back(address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(subnet: &str, used: &[&str]) -> Pool {
        Pool::new(
            subnet.parse().unwrap(),
            used.iter().map(|text| text.parse().unwrap()),
        )
    }

    fn any(pool: &mut Pool) -> Option<String> {
        pool.take_any(|_| true).map(|address| address.to_string())
    }

    #[test]
    fn addresses_come_back_last() {
        let mut pool = pool("10.0.0.0/29", &[]);
        assert_eq!(any(&mut pool).as_deref(), Some("10.0.0.2"));
        assert_eq!(any(&mut pool).as_deref(), Some("10.0.0.3"));
        pool.release("10.0.0.2".parse().unwrap());
        assert_eq!(any(&mut pool).as_deref(), Some("10.0.0.4"));
        assert_eq!(any(&mut pool).as_deref(), Some("10.0.0.5"));
        assert_eq!(any(&mut pool).as_deref(), Some("10.0.0.2"));
        assert_eq!(any(&mut pool), None);
    }

    #[test]
    fn a_subnet_of_256_has_252() {
        let mut pool = pool("192.168.64.0/24", &[]);
        let all: Vec<_> = std::iter::from_fn(|| any(&mut pool)).collect();
        assert_eq!(all.len(), 252);
        assert_eq!(all.last().map(String::as_str), Some("192.168.64.253"));
    }

    #[test]
    fn fixed_addresses_are_skipped_and_return() {
        let mut pool = pool("10.0.0.0/29", &[]);
        let fixed = "10.0.0.3".parse().unwrap();
        assert!(pool.take(fixed));
        assert!(!pool.take(fixed));
        assert_eq!(any(&mut pool).as_deref(), Some("10.0.0.2"));
        assert_eq!(any(&mut pool).as_deref(), Some("10.0.0.4"));
        pool.release(fixed);
        assert_eq!(any(&mut pool).as_deref(), Some("10.0.0.5"));
        assert_eq!(any(&mut pool).as_deref(), Some("10.0.0.3"));
    }

    #[test]
    fn what_was_used_before_a_restart_comes_last() {
        let mut pool = pool("10.0.0.0/29", &["10.0.0.3", "10.0.0.2", "172.16.0.1"]);
        assert_eq!(any(&mut pool).as_deref(), Some("10.0.0.4"));
        assert!(pool.take("10.0.0.3".parse().unwrap()));
        assert_eq!(any(&mut pool).as_deref(), Some("10.0.0.5"));
        assert_eq!(any(&mut pool).as_deref(), Some("10.0.0.2"));
        assert_eq!(any(&mut pool), None);
    }

    #[test]
    fn some_addresses_are_nobodys() {
        let pool = pool("10.0.0.0/29", &[]);
        for (address, may) in [
            ("10.0.0.0", false),
            ("10.0.0.1", false),
            ("10.0.0.6", true),
            ("10.0.0.7", false),
            ("10.0.1.2", false),
        ] {
            assert_eq!(pool.is_assignable(address.parse().unwrap()), may, "{address}");
        }
    }

    #[test]
    fn unusable_addresses_wait() {
        let mut pool = pool("10.0.0.0/29", &[]);
        let not_two = |address: Ipv4Addr| address.octets()[3] != 2;
        assert_eq!(pool.take_any(not_two), "10.0.0.3".parse().ok());
        assert_eq!(any(&mut pool).as_deref(), Some("10.0.0.4"));
        assert_eq!(any(&mut pool).as_deref(), Some("10.0.0.5"));
        assert_eq!(pool.take_any(not_two), None);
        assert_eq!(any(&mut pool).as_deref(), Some("10.0.0.2"));
    }
}

//! The fuzz target of this crate (`tests/fuzz`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::answer::{Addresses, Names, Verdict, answer};
use crate::wire;

/// A network with one container.
struct One;

impl Names for One {
    fn find(&self, name: &str) -> Option<Addresses> {
        (name == "web.test").then_some(Addresses {
            ipv4: Some(Ipv4Addr::new(10, 0, 0, 2)),
            ipv6: Some(Ipv6Addr::LOCALHOST),
        })
    }

    fn owns(&self, name: &str) -> bool {
        name.ends_with("test")
    }

    fn name_of(&self, address: IpAddr) -> Option<String> {
        (address == IpAddr::from([10, 0, 0, 2])).then(|| "web.test.".to_owned())
    }

    fn owns_addresses(&self, net: &IpNet) -> bool {
        matches!(net, IpNet::V4(net) if net.addr().octets()[0] == 10)
    }
}

/// A question behind its length, and what another server says to it.
pub fn dns(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let (question, response) = rest.split_at(rest.len().min(u16::from_be_bytes(*length).into()));
    match answer(question, &One) {
        Verdict::Ignore => {}
        Verdict::Reply(reply) => {
            assert_eq!(reply[..2], question[..2], "another number");
            assert_eq!(answer(&reply, &One), Verdict::Ignore, "an answer to an answer");
        }
        Verdict::Forward => {
            if wire::answers(question, response) {
                let _ = wire::is_refusal(response);
                let fit = wire::fit(question, response.to_vec());
                assert!(wire::answers(question, &fit) && fit.len() <= response.len());
            }
        }
    }
}

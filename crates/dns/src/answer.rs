//! What a question is answered with.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, PTR};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use ipnet::IpNet;

use crate::wire::{self, HEADER};

/// How long answers about containers hold, in seconds.
pub const TTL: u32 = 5;

/// The largest message over UDP that this server announces, in bytes.
const PAYLOAD: u16 = 1232;

/// What a network knows. Names are in lower case, without a dot at the end.
pub trait Names: Send + Sync {
    /// The addresses of `name`.
    fn find(&self, name: &str) -> Option<Addresses>;
    /// Whether nobody but this network can know `name`.
    fn owns(&self, name: &str) -> bool;
    /// The name of whoever has `address`, with a dot at the end.
    fn name_of(&self, address: IpAddr) -> Option<String>;
    /// Whether nobody but this network can know names of the addresses of `net`.
    fn owns_addresses(&self, net: &IpNet) -> bool;
}

/// The addresses of a name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Addresses {
    /// For `A`.
    pub ipv4: Option<Ipv4Addr>,
    /// For `AAAA`.
    pub ipv6: Option<Ipv6Addr>,
}

/// What to do with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Send this back.
    Reply(Vec<u8>),
    /// Ask somebody else.
    Forward,
    /// Nothing: it is not even the beginning of a question.
    Ignore,
}

/// What to do with `message`.
pub fn answer(message: &[u8], names: &dyn Names) -> Verdict {
    // An answer to an answer would go on for ever.
    if message.len() < HEADER || wire::is_response(message) {
        return Verdict::Ignore;
    }
    let refuse = |code| Verdict::Reply(wire::failure(message, code));
    let Ok(question) = Message::from_vec(message) else {
        return refuse(ResponseCode::FormErr);
    };
    if question.metadata.op_code != OpCode::Query {
        return refuse(ResponseCode::NotImp);
    }
    let [query] = &question.queries[..] else {
        return refuse(ResponseCode::FormErr);
    };
    match known(query, names) {
        None => Verdict::Forward,
        Some((code, answers)) => match reply(&question, code, answers) {
            Some(reply) => Verdict::Reply(reply),
            None => refuse(ResponseCode::ServFail),
        },
    }
}

/// What the network knows about a question; `None` if it is for others.
fn known(query: &Query, names: &dyn Names) -> Option<(ResponseCode, Vec<RData>)> {
    if query.query_class() != DNSClass::IN {
        return None;
    }
    if let Ok(net) = query.name().parse_arpa_name() {
        return reverse(query, &net, names);
    }
    let name = plain(query.name());
    let Some(addresses) = names.find(&name) else {
        return names.owns(&name).then(|| (ResponseCode::NXDomain, Vec::new()));
    };
    let ipv4 = addresses.ipv4.map(|address| RData::A(A(address)));
    let ipv6 = addresses.ipv6.map(|address| RData::AAAA(AAAA(address)));
    // A name that is there has no records of other types: no answers, and no error.
    let answers = match query.query_type() {
        RecordType::A => ipv4.into_iter().collect(),
        RecordType::AAAA => ipv6.into_iter().collect(),
        RecordType::ANY => ipv4.into_iter().chain(ipv6).collect(),
        _ => Vec::new(),
    };
    Some((ResponseCode::NoError, answers))
}

fn reverse(query: &Query, net: &IpNet, names: &dyn Names) -> Option<(ResponseCode, Vec<RData>)> {
    let is_host = net.prefix_len() == net.max_prefix_len();
    let name = is_host.then(|| names.name_of(net.addr())).flatten();
    match name.map(Name::from_ascii) {
        Some(Ok(name)) if matches!(query.query_type(), RecordType::PTR | RecordType::ANY) => {
            Some((ResponseCode::NoError, vec![RData::PTR(PTR(name))]))
        }
        Some(Ok(_)) => Some((ResponseCode::NoError, Vec::new())),
        _ if names.owns_addresses(net) => Some((ResponseCode::NXDomain, Vec::new())),
        _ => None,
    }
}

fn reply(question: &Message, code: ResponseCode, answers: Vec<RData>) -> Option<Vec<u8>> {
    let mut reply = Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
    reply.metadata.recursion_desired = question.metadata.recursion_desired;
    reply.metadata.recursion_available = true;
    reply.metadata.authoritative = true;
    reply.metadata.response_code = code;
    let query = question.queries.first()?;
    reply.add_query(query.clone());
    let records = answers
        .into_iter()
        .map(|data| Record::from_rdata(query.name().clone(), TTL, data));
    reply.add_answers(records);
    if question.edns.is_some() {
        let mut edns = hickory_proto::op::Edns::new();
        edns.set_max_payload(PAYLOAD);
        reply.set_edns(edns);
    }
    reply.to_vec().ok()
}

/// A name as [`Names`] takes it.
fn plain(name: &Name) -> String {
    let text = name.to_ascii();
    text.strip_suffix('.').unwrap_or(&text).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Web;

    impl Names for Web {
        fn find(&self, name: &str) -> Option<Addresses> {
            let addresses = Addresses {
                ipv4: Some(Ipv4Addr::new(10, 0, 0, 2)),
                ipv6: Some("fd00::2".parse().unwrap()),
            };
            match name {
                "web" | "web.test" => Some(addresses),
                "four.test" => Some(Addresses {
                    ipv6: None,
                    ..addresses
                }),
                _ => None,
            }
        }

        fn owns(&self, name: &str) -> bool {
            name == "test" || name.ends_with(".test")
        }

        fn name_of(&self, address: IpAddr) -> Option<String> {
            (address == IpAddr::from([10, 0, 0, 2])).then(|| "web.test.".to_owned())
        }

        fn owns_addresses(&self, net: &IpNet) -> bool {
            "10.0.0.0/24".parse::<IpNet>().unwrap().contains(net)
        }
    }

    fn ask(name: &str, kind: RecordType) -> Option<(ResponseCode, Vec<String>)> {
        let mut message = Message::new(7, MessageType::Query, OpCode::Query);
        message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
        message.metadata.recursion_desired = true;
        match answer(&message.to_vec().unwrap(), &Web) {
            Verdict::Forward => None,
            Verdict::Ignore => panic!("ignored"),
            Verdict::Reply(bytes) => {
                let reply = Message::from_vec(&bytes).unwrap();
                assert_eq!(
                    (reply.metadata.id, reply.metadata.message_type),
                    (7, MessageType::Response)
                );
                assert_eq!(reply.queries, message.queries);
                assert!(reply.metadata.recursion_available);
                let answers = reply.answers.iter();
                Some((
                    reply.metadata.response_code,
                    answers.map(|record| record.data.to_string()).collect(),
                ))
            }
        }
    }

    fn is(code: ResponseCode, answers: &[&str]) -> Option<(ResponseCode, Vec<String>)> {
        Some((code, answers.iter().map(ToString::to_string).collect()))
    }

    #[test]
    fn known_names_have_their_addresses_and_nothing_else() {
        assert_eq!(
            ask("web.", RecordType::A),
            is(ResponseCode::NoError, &["10.0.0.2"])
        );
        assert_eq!(
            ask("WEB.Test.", RecordType::AAAA),
            is(ResponseCode::NoError, &["fd00::2"])
        );
        assert_eq!(ask("web.test.", RecordType::ANY).unwrap().1.len(), 2);
        assert_eq!(ask("web.test.", RecordType::MX), is(ResponseCode::NoError, &[]));
        assert_eq!(
            ask("four.test.", RecordType::AAAA),
            is(ResponseCode::NoError, &[])
        );
    }

    #[test]
    fn unknown_names_are_ours_or_others() {
        assert_eq!(ask("db.test.", RecordType::A), is(ResponseCode::NXDomain, &[]));
        assert_eq!(ask("db.", RecordType::A), None);
        assert_eq!(ask("example.com.", RecordType::A), None);
        assert_eq!(ask(".", RecordType::NS), None);
    }

    #[test]
    fn addresses_have_names() {
        assert_eq!(
            ask("2.0.0.10.in-addr.arpa.", RecordType::PTR),
            is(ResponseCode::NoError, &["web.test."])
        );
        assert_eq!(
            ask("3.0.0.10.in-addr.arpa.", RecordType::PTR),
            is(ResponseCode::NXDomain, &[])
        );
        assert_eq!(
            ask("2.0.0.10.in-addr.arpa.", RecordType::TXT),
            is(ResponseCode::NoError, &[])
        );
        assert_eq!(ask("2.1.0.10.in-addr.arpa.", RecordType::PTR), None);
        assert_eq!(ask("10.in-addr.arpa.", RecordType::PTR), None);
    }

    #[test]
    fn what_is_no_question_gets_an_error_or_nothing() {
        let code = |bytes: &[u8]| match answer(bytes, &Web) {
            Verdict::Reply(reply) => Some((u16::from_be_bytes([reply[0], reply[1]]), reply[3] & 15)),
            _ => None,
        };
        assert_eq!(code(b""), None);
        assert_eq!(code(&[0; 11]), None);
        // No question, a question that ends too early, an answer, an update.
        assert_eq!(code(&[1, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Some((0x102, 1)));
        assert_eq!(
            code(&[1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, b'w']),
            Some((0x102, 1))
        );
        assert_eq!(code(&[1, 2, 0x81, 0, 0, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(code(&[1, 2, 0x28, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Some((0x102, 4)));
    }

    #[test]
    fn edns_is_answered_with_edns() {
        let mut message = Message::new(7, MessageType::Query, OpCode::Query);
        message.add_query(Query::query(Name::from_ascii("web.").unwrap(), RecordType::A));
        message.set_edns(hickory_proto::op::Edns::new());
        let Verdict::Reply(reply) = answer(&message.to_vec().unwrap(), &Web) else {
            panic!("no reply");
        };
        assert!(Message::from_vec(&reply).unwrap().edns.is_some());
    }
}

//! `--publish` (behaviour.md 9.1).

use std::net::{Ipv4Addr, Ipv6Addr};

use container_ipc::Error;
use container_resource::PublishPort;
use container_resource::network::PublishProtocol;

use super::invalid;

/// The most `--publish` options of one container.
const MAXIMUM: usize = 64;

/// Every `--publish` of a container.
///
/// # Errors
/// An option breaks the grammar, there are too many, or two want the same host port.
pub fn parse_all(texts: &[String]) -> Result<Vec<PublishPort>, Error> {
    let ports = texts
        .iter()
        .map(|text| parse(text))
        .collect::<Result<Vec<_>, _>>()?;
    if ports.len() > MAXIMUM {
        return invalid(format!(
            "cannot exceed more than {MAXIMUM} port publish descriptors"
        ));
    }
    let range =
        |port: &PublishPort| u32::from(port.host_port)..u32::from(port.host_port) + u32::from(port.count);
    for (index, one) in ports.iter().enumerate() {
        for other in &ports[index + 1..] {
            let (a, b) = (range(one), range(other));
            // Even on different addresses, as in Apple's tool; port 0 stands for any free one.
            if one.host_port != 0
                && other.host_port != 0
                && one.proto == other.proto
                && a.start < b.end
                && b.start < a.end
            {
                return invalid("host ports for different publish port specs may not overlap");
            }
        }
    }
    Ok(ports)
}

/// `[<host-ip>:]<host-ports>:<container-ports>[/<proto>]`; an IPv6 address is in brackets. Host port 0 is any free one,
/// which Apple's tool does not have.
///
/// # Errors
/// The text breaks the grammar.
pub fn parse(text: &str) -> Result<PublishPort, Error> {
    let (rest, proto) = match text.split_once('/') {
        Some((rest, proto)) => (rest, protocol(proto)?),
        None => (text, PublishProtocol::Tcp),
    };
    let (host_address, rest) = host(rest, text)?;
    let Some((host_ports, container_ports)) = rest.split_once(':') else {
        return invalid(format!("invalid publish value: {text}"));
    };
    let (host_port, host_count) = match host_ports {
        "0" => (0, 1),
        ports_of_host => ports(ports_of_host, "host")?,
    };
    let (container_port, container_count) = ports(container_ports, "container")?;
    if host_count != container_count {
        return invalid(format!(
            "publish host and container port counts are not equal: {host_ports}:{container_ports}"
        ));
    }
    Ok(PublishPort {
        host_address,
        host_port,
        container_port,
        proto,
        count: host_count,
    })
}

fn protocol(text: &str) -> Result<PublishProtocol, Error> {
    match text.to_ascii_lowercase().as_str() {
        "tcp" => Ok(PublishProtocol::Tcp),
        "udp" => Ok(PublishProtocol::Udp),
        _ => invalid(format!("invalid publish protocol: {text}")),
    }
}

/// The address to listen on, and what follows it.
fn host<'a>(rest: &'a str, text: &str) -> Result<(String, &'a str), Error> {
    if let Some(bracketed) = rest.strip_prefix('[') {
        let Some((address, rest)) = bracketed.split_once("]:") else {
            return invalid(format!("invalid publish value: {text}"));
        };
        return match address.parse::<Ipv6Addr>() {
            Ok(address) => Ok((address.to_string(), rest)),
            Err(_) => invalid(format!("invalid publish IPv6 address: {address}")),
        };
    }
    match rest.split(':').count() {
        2 => Ok((Ipv4Addr::UNSPECIFIED.to_string(), rest)),
        3 => {
            let (address, rest) = rest.split_once(':').unwrap_or_default();
            match address.parse::<Ipv4Addr>() {
                Ok(address) => Ok((address.to_string(), rest)),
                Err(_) => invalid(format!("invalid publish IPv4 address: {address}")),
            }
        }
        _ => invalid(format!("invalid publish value: {text}")),
    }
}

/// First port and number of ports of `N` or `A-B`.
fn ports(text: &str, side: &str) -> Result<(u16, u16), Error> {
    let number = |text: &str| {
        text.parse::<u16>()
            .ok()
            .filter(|_| text.bytes().all(|b| b.is_ascii_digit()))
    };
    let Some((first, last)) = text.split_once('-') else {
        return match number(text) {
            Some(port) if port > 1 => Ok((port, 1)),
            _ => invalid(format!("invalid publish {side} port: {text}")),
        };
    };
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first > 1 && last >= first => Ok((first, last - first + 1)),
        _ => invalid(format!("invalid publish {side} port range: {text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<String, String> {
        let port = parse(text).map_err(|error| error.to_string())?;
        let PublishPort {
            host_address,
            host_port,
            container_port,
            proto,
            count,
        } = port;
        Ok(format!(
            "{host_address} {host_port} {container_port} {proto:?} {count}"
        ))
    }

    #[test]
    fn addresses_ranges_and_protocols() {
        let cases = [
            ("8080:80", "0.0.0.0 8080 80 Tcp 1"),
            ("127.0.0.1:8080:80/UDP", "127.0.0.1 8080 80 Udp 1"),
            ("[::1]:8080:80", "::1 8080 80 Tcp 1"),
            ("8000-8009:9000-9009/tcp", "0.0.0.0 8000 9000 Tcp 10"),
            ("65535:2", "0.0.0.0 65535 2 Tcp 1"),
            ("[::1]:0:80/udp", "::1 0 80 Udp 1"),
        ];
        for (text, want) in cases {
            assert_eq!(parsed(text).as_deref(), Ok(want), "{text}");
        }
    }

    #[test]
    fn texts() {
        let cases = [
            ("80", "invalid publish value: 80"),
            ("", "invalid publish value: "),
            ("a:b:c:d", "invalid publish value: a:b:c:d"),
            ("::1:8080:80", "invalid publish value: ::1:8080:80"),
            ("[::1]8080:80", "invalid publish value: [::1]8080:80"),
            ("[x]:8080:80", "invalid publish IPv6 address: x"),
            ("1.2.3:8080:80", "invalid publish IPv4 address: 1.2.3"),
            ("8080:80/sctp", "invalid publish protocol: sctp"),
            ("0-1:80-81", "invalid publish host port range: 0-1"),
            ("80:0", "invalid publish container port: 0"),
            (
                "0:80-81",
                "publish host and container port counts are not equal: 0:80-81",
            ),
            ("1:80", "invalid publish host port: 1"),
            ("65536:80", "invalid publish host port: 65536"),
            ("+80:80", "invalid publish host port: +80"),
            ("8080:http", "invalid publish container port: http"),
            ("9-8:80", "invalid publish host port range: 9-8"),
            ("8000-8001:70-", "invalid publish container port range: 70-"),
            (
                "8000-8001:80",
                "publish host and container port counts are not equal: 8000-8001:80",
            ),
        ];
        for (text, want) in cases {
            assert_eq!(parsed(text).err().as_deref(), Some(want), "{text}");
        }
    }

    #[test]
    fn host_ports_are_used_once_per_protocol() {
        let all = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            parse_all(&texts)
                .map(|ports| ports.len())
                .map_err(|error| error.to_string())
        };
        assert_eq!(all(&["80:80", "80:80/udp", "81-82:81-82"]), Ok(3));
        assert_eq!(all(&["0:80", "0:81"]), Ok(2));
        let overlap = Err("host ports for different publish port specs may not overlap".to_owned());
        assert_eq!(all(&["127.0.0.1:80:80", "127.0.0.2:80:80"]), overlap);
        assert_eq!(all(&["80-90:80-90", "85:85"]), overlap);
        let many: Vec<String> = (2..67).map(|port| format!("{port}:{port}")).collect();
        assert_eq!(
            parse_all(&many).map_err(|error| error.to_string()),
            Err("cannot exceed more than 64 port publish descriptors".to_owned())
        );
    }
}

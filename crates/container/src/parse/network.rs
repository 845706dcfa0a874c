//! `--network` (behaviour.md 9.9).

use std::net::Ipv4Addr;

use container_ipc::Error;

use super::invalid;

/// The word for no interface at all.
pub const NONE: &str = "none";

/// One `--network`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkRequest {
    /// The network's name.
    pub name: String,
    /// A fixed hardware address, `xx:xx:xx:xx:xx:xx`.
    pub mac: Option<String>,
    /// The interface's MTU in bytes.
    pub mtu: Option<u32>,
    /// A fixed address. Apple's tool has none.
    pub ip: Option<Ipv4Addr>,
    /// Further names on the network. Apple's tool has none.
    pub aliases: Vec<String>,
}

/// Every `--network`; an empty list stands for the word `none` alone, `None` for no option at all.
///
/// # Errors
/// An option breaks the grammar, or `none` is not alone.
pub fn parse_all(texts: &[String]) -> Result<Option<Vec<NetworkRequest>>, Error> {
    if texts.is_empty() {
        return Ok(None);
    }
    if texts.iter().any(|text| text == NONE) {
        if texts.len() > 1 {
            return invalid("no other networks may be created along with network none");
        }
        return Ok(Some(Vec::new()));
    }
    texts
        .iter()
        .map(|text| parse(text))
        .collect::<Result<_, _>>()
        .map(Some)
}

/// `<name>[,mac=XX:XX:XX:XX:XX:XX][,mtu=N][,ip=A.B.C.D][,alias=NAME]…`.
///
/// # Errors
/// The text breaks the grammar.
pub fn parse(text: &str) -> Result<NetworkRequest, Error> {
    if text.is_empty() {
        return invalid("network specification cannot be empty");
    }
    let mut parts = text.split(',');
    let name = parts.next().unwrap_or_default();
    if name.is_empty() {
        return invalid("network name cannot be empty");
    }
    let mut request = NetworkRequest {
        name: name.to_owned(),
        mac: None,
        mtu: None,
        ip: None,
        aliases: Vec::new(),
    };
    for property in parts {
        let Some((key, value)) = property.split_once('=') else {
            return invalid(format!(
                "invalid property format '{property}' in network specification '{text}'"
            ));
        };
        match key {
            "mac" => request.mac = Some(mac(value)?),
            "mtu" => request.mtu = Some(mtu(value)?),
            "ip" => request.ip = Some(ip(value)?),
            "alias" => request.aliases.push(alias(value)?),
            _ => {
                return invalid(format!(
                    "unknown network property '{key}'. Available properties: alias, ip, mac, mtu"
                ));
            }
        }
    }
    Ok(request)
}

fn mac(value: &str) -> Result<String, Error> {
    if value.is_empty() {
        return invalid("mac address value cannot be empty");
    }
    let normal = value.replace('-', ":").to_lowercase();
    let octets: Vec<&str> = normal.split(':').collect();
    let is_octet = |octet: &&str| octet.len() == 2 && octet.bytes().all(|b| b.is_ascii_hexdigit());
    if octets.len() != 6 || !octets.iter().all(is_octet) {
        return invalid(format!(
            "invalid MAC address format {value}, expected format: XX:XX:XX:XX:XX:XX"
        ));
    }
    Ok(normal)
}

fn mtu(value: &str) -> Result<u32, Error> {
    match value.parse() {
        Ok(mtu @ 1280..=65535) => Ok(mtu),
        _ => invalid(format!(
            "invalid mtu value '{value}': must be between 1280 and 65535"
        )),
    }
}

fn ip(value: &str) -> Result<Ipv4Addr, Error> {
    value
        .parse()
        .or_else(|_| invalid(format!("invalid ip value '{value}': must be an IPv4 address")))
}

/// A host name of one or more labels.
fn alias(value: &str) -> Result<String, Error> {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    if value.len() > 253 || !value.split('.').all(is_label) {
        return invalid(format!("invalid alias value '{value}': must be a host name"));
    }
    Ok(value.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_properties() {
        let request = parse("web,mac=02-42-AC-11-00-02,mtu=1500");
        assert_eq!(
            request,
            Ok(NetworkRequest {
                name: "web".to_owned(),
                mac: Some("02:42:ac:11:00:02".to_owned()),
                mtu: Some(1500),
                ip: None,
                aliases: Vec::new()
            })
        );
        let request = parse("web,ip=192.168.64.9,alias=DB,alias=db.test").unwrap();
        assert_eq!(request.ip, Some(Ipv4Addr::new(192, 168, 64, 9)));
        assert_eq!(request.aliases, ["db", "db.test"]);
    }

    #[test]
    fn none_is_alone() {
        let all = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            parse_all(&texts).map_err(|error| error.to_string())
        };
        assert_eq!(all(&[]), Ok(None));
        assert_eq!(all(&["none"]), Ok(Some(vec![])));
        assert_eq!(
            all(&["none", "a"]),
            Err("no other networks may be created along with network none".to_owned())
        );
        assert_eq!(
            all(&["none,mtu=1500"]).map(|networks| networks.map(|list| list.len())),
            Ok(Some(1))
        );
    }

    #[test]
    fn texts() {
        let cases = [
            ("", "network specification cannot be empty"),
            (",mtu=1500", "network name cannot be empty"),
            (
                "a,mtu",
                "invalid property format 'mtu' in network specification 'a,mtu'",
            ),
            ("a,mac=", "mac address value cannot be empty"),
            (
                "a,mtu=100",
                "invalid mtu value '100': must be between 1280 and 65535",
            ),
            ("a,mtu=x", "invalid mtu value 'x': must be between 1280 and 65535"),
            (
                "a,port=1",
                "unknown network property 'port'. Available properties: alias, ip, mac, mtu",
            ),
            ("a,ip=1", "invalid ip value '1': must be an IPv4 address"),
            ("a,alias=-x", "invalid alias value '-x': must be a host name"),
            (
                "a,mac=1:2",
                "invalid MAC address format 1:2, expected format: XX:XX:XX:XX:XX:XX",
            ),
        ];
        for (text, want) in cases {
            assert_eq!(
                parse(text).map_err(|error| error.to_string()).err().as_deref(),
                Some(want)
            );
        }
    }
}

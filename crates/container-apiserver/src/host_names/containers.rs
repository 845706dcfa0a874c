//! Containers as the host names them.

use container_dns::Addresses;
use container_resource::{Attachment, AttachmentConfiguration};

/// A running container on one of its networks.
#[derive(Debug)]
pub(super) struct Host {
    /// In lower case, without a dot at the end.
    names: Vec<String>,
    pub(super) addresses: Addresses,
}

impl Host {
    /// A container that has `attachments` and asked for `asked`: one for each of its networks. `domain` is the local one.
    pub(super) fn of(
        attachments: &[Attachment],
        asked: &[AttachmentConfiguration],
        domain: Option<&str>,
    ) -> Vec<Self> {
        let aliases = |network: &str| {
            let asked = asked.iter().find(|asked| asked.network == network);
            asked.map_or(&[][..], |asked| &asked.options.aliases)
        };
        let hosts = attachments.iter().map(|attachment| {
            let names = std::iter::once(&attachment.hostname).chain(aliases(&attachment.network));
            Self {
                names: names.filter_map(|name| full(name, domain)).collect(),
                addresses: Addresses {
                    ipv4: address(&attachment.ipv4_address),
                    ipv6: attachment.ipv6_address.as_deref().and_then(address),
                },
            }
        });
        hosts.collect()
    }

    /// Whether `name`, in lower case and without a dot at its end, is this one's.
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.names.iter().any(|own| own == name)
    }
}

/// A name with its domain. The host's resolver asks for no others.
fn full(name: &str, domain: Option<&str>) -> Option<String> {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    if name.contains('.') {
        return Some(name);
    }
    Some(format!(
        "{name}.{}",
        domain?.trim_end_matches('.').to_ascii_lowercase()
    ))
}

/// The address of `192.168.64.3/24`.
fn address<A: std::str::FromStr>(text: &str) -> Option<A> {
    text.split('/').next()?.parse().ok()
}

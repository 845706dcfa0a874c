//! The interfaces of a container's virtual machine.

mod bridge;
#[cfg(not(target_os = "macos"))]
mod linux;
#[cfg(target_os = "macos")]
mod macos;

use container_hypervisor::MacAddress;
use container_resource::Attachment;
#[cfg(not(target_os = "macos"))]
use linux as platform;
#[cfg(target_os = "macos")]
use macos as platform;

pub(crate) use bridge::{Links, attach};
pub(crate) use platform::connector;

/// The name server of a container that names none: the first network's gateway, which asks the host's.
pub(crate) fn name_server(attachments: &[Attachment]) -> Option<String> {
    attachments.first().map(|first| first.ipv4_gateway.clone())
}

fn parse_mac(text: &str) -> Option<MacAddress> {
    let bytes: Vec<u8> = text
        .split([':', '-'])
        .map(|octet| u8::from_str_radix(octet, 16).ok())
        .collect::<Option<_>>()?;
    bytes.try_into().ok().map(MacAddress)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mac_addresses() {
        assert_eq!(
            parse_mac("02:42-ac:11:00:02")
                .map(|mac| mac.to_string())
                .as_deref(),
            Some("02:42:ac:11:00:02")
        );
        assert!(parse_mac("02:42").is_none());
    }
}

//! The interfaces of a container's virtual machine.

// Its tests need no macOS.
#[cfg(any(target_os = "macos", test))]
mod addresses;
#[cfg(target_os = "linux")]
mod bridge;
#[cfg(target_os = "macos")]
mod nat;

use container_hypervisor::MacAddress;
use container_resource::Attachment;

#[cfg(target_os = "linux")]
use bridge as platform;
#[cfg(target_os = "macos")]
use nat as platform;

pub(crate) use platform::{Links, attach, connector};

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

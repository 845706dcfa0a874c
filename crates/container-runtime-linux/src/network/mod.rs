//! The interfaces of a container's virtual machine.

// Its tests need no macOS.
#[cfg(any(target_os = "macos", test))]
mod addresses;
#[cfg(target_os = "macos")]
mod nat;
#[cfg(target_os = "linux")]
mod user;

use container_hypervisor::MacAddress;
use container_resource::{Attachment, AttachmentConfiguration};

#[cfg(target_os = "macos")]
use nat as platform;
#[cfg(target_os = "linux")]
use user as platform;

pub(crate) use platform::{attach, name_server};

/// The attachment for what a container asks for. `address` has its prefix.
fn attachment(
    wanted: &AttachmentConfiguration,
    mac: MacAddress,
    address: String,
    gateway: String,
) -> Attachment {
    Attachment {
        network: wanted.network.clone(),
        hostname: wanted.options.hostname.clone(),
        ipv4_address: address,
        ipv4_gateway: gateway,
        ipv6_address: None,
        mac_address: Some(mac.to_string()),
        mtu: wanted.options.mtu,
        variant: None,
    }
}

/// The hardware address that was asked for, else a random one.
fn mac(wanted: &AttachmentConfiguration) -> MacAddress {
    let requested = wanted.options.mac_address.as_deref().and_then(parse_mac);
    requested.unwrap_or_else(random_mac)
}

fn parse_mac(text: &str) -> Option<MacAddress> {
    let bytes: Vec<u8> = text
        .split([':', '-'])
        .map(|octet| u8::from_str_radix(octet, 16).ok())
        .collect::<Option<_>>()?;
    bytes.try_into().ok().map(MacAddress)
}

/// A locally administered unicast address that begins with f2, f6, fa or fe, as Apple's do.
fn random_mac() -> MacAddress {
    let mut bytes = [0; 6];
    bytes.copy_from_slice(&uuid::Uuid::new_v4().as_bytes()[..6]);
    bytes[0] = bytes[0] & 0x0c | 0xf2;
    MacAddress(bytes)
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
        assert!([0xf2, 0xf6, 0xfa, 0xfe].contains(&random_mac().0[0]));
        assert_ne!(random_mac(), random_mac());
    }
}

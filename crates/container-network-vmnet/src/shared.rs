//! The one network that all virtual machines of a Mac share, which Virtualization.framework connects them with.

use std::net::Ipv4Addr;

use container_network_bridge::Settings;
use container_resource::NetworkMode;
use container_resource::network::DEFAULT_NETWORK;
use container_resource::subnet::Ipv4Net;

use crate::error::Error;

/// Where macOS keeps what the network is.
const FILE: &str = "/Library/Preferences/SystemConfiguration/com.apple.vmnet.plist";
/// What it is unless its administrator chose another one.
const DEFAULT: (Ipv4Addr, u8) = (Ipv4Addr::new(192, 168, 64, 0), 24);

/// The shared network. Its interfaces need nothing from here.
#[derive(Debug)]
pub struct Shared;

impl Shared {
    /// Says in `settings` what the shared network is, whatever was asked for.
    ///
    /// # Errors
    /// They are those of another network, which does not exist here.
    pub fn open(settings: &mut Settings) -> Result<Self, Error> {
        if settings.id != DEFAULT_NETWORK || settings.mode != NetworkMode::Nat {
            return Err(Error::OneNetwork(settings.id.clone()));
        }
        settings.ipv4 = subnet(plist::Value::from_file(FILE).ok().as_ref());
        Ok(Self)
    }

    /// Whether the Mac's own DHCP server may have given `address` to another virtual machine. It begins at the start of
    /// the subnet, so containers get the second half.
    pub(crate) fn is_others(settings: &Settings, address: Ipv4Addr) -> bool {
        let (first, last) = (settings.ipv4.network(), settings.ipv4.broadcast());
        u32::from(address) <= u32::from(first).midpoint(u32::from(last))
    }
}

/// The subnet in the preferences.
fn subnet(preferences: Option<&plist::Value>) -> Ipv4Net {
    let preferences = preferences.and_then(plist::Value::as_dictionary);
    let address = |key: &str| -> Option<Ipv4Addr> { preferences?.get(key)?.as_string()?.parse().ok() };
    let chosen = address("Shared_Net_Address").zip(address("Shared_Net_Mask"));
    let chosen = chosen.and_then(|(host, mask)| Ipv4Net::with_netmask(host, mask).ok());
    chosen.map_or_else(|| Ipv4Net::new_assert(DEFAULT.0, DEFAULT.1), |net| net.trunc())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn settings(id: &str, mode: NetworkMode) -> Settings {
        Settings::new(id, mode, "10.1.2.0/24", "fd00::/64", None, Path::new("/a")).unwrap()
    }

    #[test]
    fn the_subnet_is_what_the_mac_says() {
        let plist = |host: &str, mask: &str| {
            let mut dictionary = plist::Dictionary::new();
            dictionary.insert("Shared_Net_Address".into(), host.into());
            dictionary.insert("Shared_Net_Mask".into(), mask.into());
            plist::Value::Dictionary(dictionary)
        };
        let text = |value: Option<plist::Value>| subnet(value.as_ref()).to_string();
        assert_eq!(text(None), "192.168.64.0/24");
        assert_eq!(text(Some(plist("10.9.0.1", "255.255.0.0"))), "10.9.0.0/16");
        assert_eq!(text(Some(plist("x", "255.255.0.0"))), "192.168.64.0/24");
        assert_eq!(text(Some(plist("10.9.0.1", "255.0.255.0"))), "192.168.64.0/24");
    }

    #[test]
    fn there_is_one_network() {
        let mut default = settings("default", NetworkMode::Nat);
        Shared::open(&mut default).unwrap();
        assert_eq!(default.gateway4().to_string(), "192.168.64.1");
        assert!(Shared::is_others(&default, Ipv4Addr::new(192, 168, 64, 2)));
        assert!(!Shared::is_others(&default, Ipv4Addr::new(192, 168, 64, 128)));
        for (id, mode) in [("other", NetworkMode::Nat), ("default", NetworkMode::HostOnly)] {
            let error = Shared::open(&mut settings(id, mode)).unwrap_err();
            assert!(error.to_string().contains("macOS 26"), "{error}");
        }
    }
}

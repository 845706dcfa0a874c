//! The host's end of a network.

use std::path::Path;

use container_ipc::short_hash;

/// The name of the host's interface that leads to the network `id` of the installation at `app_root`: `cn-` and twelve
/// hexadecimal digits, as long as Linux lets it be.
pub fn uplink_interface(app_root: &Path, id: &str) -> String {
    let mut seed = app_root.as_os_str().as_encoded_bytes().to_vec();
    seed.push(0);
    seed.extend(id.as_bytes());
    format!("cn-{}", &short_hash(&seed)[..12])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_has_its_own() {
        let name = uplink_interface(Path::new("/a"), "default");
        assert_eq!(name.len(), 15);
        assert_eq!(name, uplink_interface(Path::new("/a"), "default"));
        assert_ne!(name, uplink_interface(Path::new("/a"), "other"));
        assert_ne!(name, uplink_interface(Path::new("/b"), "default"));
    }
}

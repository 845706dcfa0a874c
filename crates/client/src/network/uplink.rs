//! The host's end of a network.

use std::path::Path;

use container_ipc::{runtime_dir, short_hash};

/// Eight hexadecimal digits that stand for the network `id` of the installation at `app_root`, on the whole host.
pub fn network_key(app_root: &Path, id: &str) -> String {
    let runtime = runtime_dir(app_root);
    let mut key = short_hash(format!("{}\0{id}", runtime.display()).as_bytes());
    key.truncate(8);
    key
}

/// The host's interface that leads to the network `id` of the installation at `app_root`.
pub fn uplink_interface(app_root: &Path, id: &str) -> String {
    format!("{UPLINK_PREFIX}{}", network_key(app_root, id))
}

/// What the names of such interfaces begin with.
pub const UPLINK_PREFIX: &str = "cn-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_has_its_own() {
        let name = uplink_interface(Path::new("/a"), "default");
        assert_eq!(name.len(), 11);
        assert_eq!(name, uplink_interface(Path::new("/a"), "default"));
        assert_ne!(name, uplink_interface(Path::new("/a"), "other"));
        assert_ne!(name, uplink_interface(Path::new("/b"), "default"));
    }
}

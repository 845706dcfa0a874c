//! Networks on disk: `<name>/{entity.json, subnets.json}`, each of them [whole] or not at all. The network's helper
//! keeps its own files beside them.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use container_resource::NetworkConfiguration;
use container_resource::name::is_network_name;
use container_resource::network::DEFAULT_NETWORK;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::subnets::Subnets;
use crate::whole;

/// What was asked for: a [`NetworkConfiguration`] as JSON (behaviour reference, 32.4).
const ENTITY_FILE: &str = "entity.json";
/// What it uses: [`Subnets`] as JSON.
const SUBNETS_FILE: &str = "subnets.json";

/// Reads every network; those without subnets never got any.
///
/// # Errors
/// The directory cannot be created or read.
pub(super) fn load(directory: &Path) -> io::Result<Vec<(NetworkConfiguration, Option<Subnets>)>> {
    fs::create_dir_all(directory)?;
    let mut networks = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if whole::is_leftover(&name) {
            whole::remove(&entry.path());
        } else if is_network_name(&name) && entry.file_type()?.is_dir() {
            match read::<NetworkConfiguration>(&entry.path().join(ENTITY_FILE)) {
                // These are only a choice, which can be made anew.
                Ok(network) if network.name == name => {
                    networks.push((network, read(&entry.path().join(SUBNETS_FILE)).ok()));
                }
                Ok(network) => {
                    tracing::error!(name, belongs_to = network.name, "left a damaged network alone");
                }
                // Made anew at each start.
                Err(_) if name == DEFAULT_NETWORK => {}
                Err(error) => tracing::error!(name, %error, "left a damaged network alone"),
            }
        }
    }
    Ok(networks)
}

fn read<T: DeserializeOwned>(path: &Path) -> io::Result<T> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

/// Writes a new network.
///
/// # Errors
/// It cannot be written; nothing is left behind then.
pub(super) fn create(directory: &Path, network: &NetworkConfiguration, subnets: &Subnets) -> io::Result<()> {
    let ingest = whole::ingest_path(directory);
    let write = || -> io::Result<()> {
        fs::create_dir(&ingest)?;
        write(&ingest.join(ENTITY_FILE), network)?;
        write(&ingest.join(SUBNETS_FILE), subnets)?;
        fs::rename(&ingest, directory.join(&network.name))?;
        File::open(directory)?.sync_all()
    };
    write().inspect_err(|_| {
        let _ = fs::remove_dir_all(&ingest);
    })
}

/// Writes what was asked for of a network that may be there already.
///
/// # Errors
/// It cannot be written.
pub(super) fn store(directory: &Path, network: &NetworkConfiguration) -> io::Result<()> {
    let own = directory.join(&network.name);
    fs::create_dir_all(&own)?;
    replace(&own.join(ENTITY_FILE), network)
}

/// Writes what the network `name` uses.
///
/// # Errors
/// It cannot be written.
pub(super) fn store_subnets(directory: &Path, name: &str, subnets: &Subnets) -> io::Result<()> {
    replace(&directory.join(name).join(SUBNETS_FILE), subnets)
}

fn replace<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let new = path.with_extension("new");
    write(&new, value)?;
    fs::rename(&new, path)
}

fn write<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(&serde_json::to_vec(value)?)?;
    file.sync_all()
}

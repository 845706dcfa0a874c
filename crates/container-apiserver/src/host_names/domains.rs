//! Domains that stand for one address (`container system dns create --localhost`).

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use container_client::resolver;
use container_dns::Addresses;

/// The longest file that is read, in bytes.
const LONGEST: u64 = 4096;

/// The files of macOS's resolver. They are read for every question: there are few of both, and an answer is never old.
#[derive(Debug)]
pub(super) struct Domains(PathBuf);

impl Domains {
    /// Those in `directory`, which may not be there yet.
    pub(super) fn new(directory: impl Into<PathBuf>) -> Self {
        Self(directory.into())
    }

    /// The address of the longest domain that `name` is in.
    pub(super) fn find(&self, name: &str) -> Option<Addresses> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let matching = entries.filter_map(|entry| {
            let file_name = entry.file_name().to_str()?.to_ascii_lowercase();
            let domain = resolver::domain(&file_name)?;
            let address = is_within(name, domain).then(|| read(&entry.path()))??;
            Some((domain.len(), address))
        });
        let (_, address) = matching.max_by_key(|(length, _)| *length)?;
        Some(Addresses {
            ipv4: Some(address),
            ipv6: None,
        })
    }
}

fn read(path: &Path) -> Option<Ipv4Addr> {
    let found = fs::metadata(path).ok()?;
    let sound = found.is_file() && found.len() <= LONGEST;
    resolver::address(&sound.then(|| fs::read_to_string(path))?.ok()?)
}

/// Whether `name` is `domain` or below it.
fn is_within(name: &str, domain: &str) -> bool {
    let rest = name.strip_suffix(domain);
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

//! Domains that stand for the host's loopback (`system dns create --localhost`; behaviour reference, 16).
//!
//! Each is a file below `<app root>/dns`, named after the domain, with an IPv4 address. Inside of networks the domain, and
//! all names below it, have this address, and whatever goes there reaches the host.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::names::is_within;

/// The longest file that is read, in bytes.
const LONGEST: u64 = 64;

/// The domains of an installation.
#[derive(Debug)]
pub(crate) struct LocalDomains {
    directory: PathBuf,
    domains: RwLock<BTreeMap<String, Ipv4Addr>>,
}

impl LocalDomains {
    /// Those below `app_root`.
    pub(crate) fn open(app_root: &Path) -> Self {
        let directory = app_root.join("dns");
        let domains = RwLock::new(read(&directory));
        Self { directory, domains }
    }

    fn domains(&self) -> RwLockReadGuard<'_, BTreeMap<String, Ipv4Addr>> {
        self.domains.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The address of `name`, which is in lower case and has no dot at its end: of the longest domain that it is in.
    pub(crate) fn find(&self, name: &str) -> Option<Ipv4Addr> {
        let domains = self.domains();
        let matching = domains.iter().filter(|(domain, _)| is_within(name, domain));
        matching
            .max_by_key(|(domain, _)| domain.len())
            .map(|(_, &address)| address)
    }

    /// All addresses, each once.
    pub(crate) fn addresses(&self) -> Vec<Ipv4Addr> {
        let mut addresses: Vec<Ipv4Addr> = self.domains().values().copied().collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }

    /// Reads the directory again; whether anything is different now.
    fn refresh(&self) -> bool {
        let new = read(&self.directory);
        let mut domains = self.domains.write().unwrap_or_else(PoisonError::into_inner);
        let changed = *domains != new;
        *domains = new;
        changed
    }

    /// Follows changes for ever, and says through `changed` that there was one.
    ///
    /// # Errors
    /// The directory cannot be watched.
    pub(crate) async fn follow(&self, changed: impl AsyncFn()) -> io::Result<()> {
        loop {
            std::fs::create_dir_all(&self.directory)?;
            let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
            let interesting = WatchFlags::CLOSE_WRITE
                | WatchFlags::MOVED_TO
                | WatchFlags::MOVED_FROM
                | WatchFlags::DELETE
                | WatchFlags::DELETE_SELF
                | WatchFlags::MOVE_SELF
                | WatchFlags::ONLYDIR;
            inotify::add_watch(&events, &self.directory, interesting)?;
            // SAFETY: an `OwnedFd` always gives the one descriptor that it keeps open.
            let events = unsafe { AsyncFd::register_with_interest(events, Interest::READABLE) }?;
            // What happened before it was watched.
            loop {
                if self.refresh() {
                    changed().await;
                }
                if !self.directory.exists() {
                    break;
                }
                drain(&events).await?;
            }
        }
    }
}

/// Waits for events, and takes them all.
async fn drain(events: &AsyncFd<OwnedFd>) -> io::Result<()> {
    let mut buffer = [0_u8; 4096];
    let mut ready = events.readable().await?;
    while rustix::io::read(events.get_ref(), &mut buffer).is_ok_and(|length| length > 0) {}
    ready.clear_ready();
    Ok(())
}

fn read(directory: &Path) -> BTreeMap<String, Ipv4Addr> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let files = entries.filter_map(|entry| {
        let name = entry.file_name().to_str()?.to_ascii_lowercase();
        // Beginnings of files have names that no domain has.
        let is_domain = !name.starts_with('.') && entry.metadata().ok()?.len() <= LONGEST;
        let text = is_domain.then(|| std::fs::read_to_string(entry.path()))?.ok()?;
        Some((name, text.trim().parse().ok()?))
    });
    files.collect()
}

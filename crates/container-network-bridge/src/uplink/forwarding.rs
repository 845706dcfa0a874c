//! Having the host forward packets, and leaving it as it was found.
//!
//! Forwarding is one switch for all interfaces, and turning it changes settings of each. What they were is written down,
//! and written back when the last network that needs it goes. Networks of all installations on the host count each other
//! by locks.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

/// Where all installations on this host, and no earlier run of it, find each other.
const DIRECTORY: &str = "/run/container-network";
/// Where the switches are.
const SYSCTL: &str = "/proc/sys/net";
/// The switches themselves. Turning one sets many others.
const SWITCHES: [&str; 2] = ["ipv4/ip_forward", "ipv6/conf/all/forwarding"];
/// Without this the host would stop listening to router advertisements when it forwards.
const ACCEPT_RA_ALWAYS: &str = "2";

/// The host forwards packets at least as long as this lives.
#[derive(Debug)]
pub(super) struct Forwarding {
    directory: PathBuf,
    sysctl: PathBuf,
    /// A shared lock.
    user: File,
}

/// A setting that was changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Setting {
    /// Below [`SYSCTL`].
    name: PathBuf,
    before: String,
    after: String,
}

impl Forwarding {
    pub(super) fn enable() -> io::Result<Self> {
        Self::enable_in(Path::new(DIRECTORY), Path::new(SYSCTL))
    }

    fn enable_in(directory: &Path, sysctl: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let _edit = lock(&directory.join("lock"), FlockOperation::LockExclusive)?;
        let saved = directory.join("saved.json");
        if is_off(sysctl) {
            let mut settings: Vec<Setting> = load(&saved).unwrap_or_default();
            let before = snapshot(sysctl);
            turn_on(sysctl)?;
            for (name, before) in before {
                let after = read(&sysctl.join(&name)).unwrap_or_default();
                match settings.iter_mut().find(|setting| setting.name == name) {
                    // What it was before the first of us.
                    Some(setting) => setting.after = after,
                    None => settings.push(Setting { name, before, after }),
                }
            }
            fs::write(&saved, serde_json::to_vec(&settings)?)?;
        }
        Ok(Self {
            directory: directory.to_owned(),
            sysctl: sysctl.to_owned(),
            user: lock(&directory.join("users"), FlockOperation::LockShared)?,
        })
    }

    /// Ends the need. The last one leaves the host as it was found.
    pub(super) fn release(self) {
        if let Err(error) = self.try_release() {
            tracing::error!(%error, "failed to restore how the host forwards packets");
        }
    }

    fn try_release(self) -> io::Result<()> {
        let Self {
            directory,
            sysctl,
            user,
        } = self;
        let _edit = lock(&directory.join("lock"), FlockOperation::LockExclusive)?;
        drop(user);
        let users = open(&directory.join("users"))?;
        if flock(&users, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(());
        }
        let saved = directory.join("saved.json");
        if let Some(settings) = load(&saved) {
            restore(&sysctl, &settings)?;
            fs::remove_file(&saved)?;
        }
        Ok(())
    }
}

/// Turns the switches back, and then what they took along.
fn restore(sysctl: &Path, settings: &[Setting]) -> io::Result<()> {
    // What somebody else has changed since is theirs.
    let ours = |setting: &&Setting| read(&sysctl.join(&setting.name)).is_some_and(|now| now == setting.after);
    let ours: Vec<&Setting> = settings.iter().filter(ours).collect();
    let is_switch = |setting: &&&Setting| SWITCHES.iter().any(|switch| Path::new(switch) == setting.name);
    let (switches, others): (Vec<&Setting>, Vec<&Setting>) =
        ours.iter().copied().partition(|s| is_switch(&s));
    for setting in switches.into_iter().chain(others) {
        let path = sysctl.join(&setting.name);
        // An interface may go at any moment.
        if read(&path).is_some_and(|now| now != setting.before) {
            fs::write(&path, &setting.before)?;
        }
    }
    Ok(())
}

fn is_off(sysctl: &Path) -> bool {
    SWITCHES
        .iter()
        .any(|switch| read(&sysctl.join(switch)).is_some_and(|value| value == "0"))
}

fn turn_on(sysctl: &Path) -> io::Result<()> {
    for name in each_interface(sysctl, "ipv6/conf", "accept_ra") {
        let path = sysctl.join(name);
        if read(&path).is_some_and(|value| value == "1") {
            fs::write(path, ACCEPT_RA_ALWAYS)?;
        }
    }
    for switch in SWITCHES {
        let path = sysctl.join(switch);
        // A host without IPv6 has no such switch.
        if read(&path).is_some_and(|value| value == "0") {
            fs::write(path, "1")?;
        }
    }
    Ok(())
}

/// All that turning the switches may change.
fn snapshot(sysctl: &Path) -> Vec<(PathBuf, String)> {
    let mut names: Vec<PathBuf> = SWITCHES.iter().map(PathBuf::from).collect();
    names.extend(each_interface(sysctl, "ipv4/conf", "forwarding"));
    names.extend(each_interface(sysctl, "ipv4/conf", "accept_redirects"));
    names.extend(each_interface(sysctl, "ipv6/conf", "forwarding"));
    names.extend(each_interface(sysctl, "ipv6/conf", "accept_ra"));
    names.dedup();
    let values = names.into_iter().map(|name| (read(&sysctl.join(&name)), name));
    values.filter_map(|(value, name)| Some((name, value?))).collect()
}

fn each_interface(sysctl: &Path, directory: &str, setting: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(sysctl.join(directory))
        .into_iter()
        .flatten()
        .flatten();
    let mut names: Vec<PathBuf> = entries
        .map(|entry| Path::new(directory).join(entry.file_name()).join(setting))
        .collect();
    names.retain(|name| !SWITCHES.iter().any(|switch| Path::new(switch) == name));
    names
}

fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn load(path: &Path) -> Option<Vec<Setting>> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn lock(path: &Path, operation: FlockOperation) -> io::Result<File> {
    let file = open(path)?;
    flock(&file, operation)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, value) in files {
            let path = root.path().join("sys").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{value}\n")).unwrap();
        }
        root
    }

    fn value(root: &tempfile::TempDir, name: &str) -> String {
        read(&root.path().join("sys").join(name)).unwrap()
    }

    fn enable(root: &tempfile::TempDir) -> Forwarding {
        Forwarding::enable_in(&root.path().join("run"), &root.path().join("sys")).unwrap()
    }

    #[test]
    fn the_last_one_restores_what_the_first_one_found() {
        let root = host(&[
            ("ipv4/ip_forward", "0"),
            ("ipv4/conf/eth0/forwarding", "0"),
            ("ipv6/conf/all/forwarding", "0"),
            ("ipv6/conf/eth0/accept_ra", "1"),
            ("ipv6/conf/eth1/accept_ra", "0"),
        ]);
        let (first, second) = (enable(&root), enable(&root));
        assert_eq!(value(&root, "ipv4/ip_forward"), "1");
        assert_eq!(value(&root, "ipv6/conf/eth0/accept_ra"), "2");
        assert_eq!(value(&root, "ipv6/conf/eth1/accept_ra"), "0");
        first.release();
        assert_eq!(value(&root, "ipv4/ip_forward"), "1");
        second.release();
        assert_eq!(value(&root, "ipv4/ip_forward"), "0");
        assert_eq!(value(&root, "ipv6/conf/all/forwarding"), "0");
        assert_eq!(value(&root, "ipv6/conf/eth0/accept_ra"), "1");
    }

    #[test]
    fn what_is_on_already_stays_on() {
        let root = host(&[("ipv4/ip_forward", "1")]);
        enable(&root).release();
        assert_eq!(value(&root, "ipv4/ip_forward"), "1");
    }

    #[test]
    fn a_killed_one_is_made_good_by_the_next() {
        let root = host(&[("ipv4/ip_forward", "0")]);
        drop(enable(&root));
        let next = enable(&root);
        next.release();
        assert_eq!(value(&root, "ipv4/ip_forward"), "0");
    }

    #[test]
    fn what_others_change_is_theirs() {
        let root = host(&[("ipv4/ip_forward", "0"), ("ipv6/conf/eth0/accept_ra", "1")]);
        let forwarding = enable(&root);
        fs::write(root.path().join("sys/ipv6/conf/eth0/accept_ra"), "0").unwrap();
        forwarding.release();
        assert_eq!(value(&root, "ipv6/conf/eth0/accept_ra"), "0");
        assert_eq!(value(&root, "ipv4/ip_forward"), "0");
    }
}

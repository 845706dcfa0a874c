//! Control groups, version 2 (behaviour.md 30.1 and 30.5).

use std::fs;
use std::io::{self, Read, Seek};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

use oci_spec::runtime::LinuxResources;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::Pid;

use crate::error::{Context, Error, Result};

/// Where the hierarchy is mounted.
pub(crate) const MOUNT: &str = "/sys/fs/cgroup";

/// How often a group that is still busy is tried to be removed.
const ATTEMPTS: u32 = 5;

/// Wait after the first attempt; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_millis(10);

/// How long processes may take to stand still.
const FREEZING: Duration = Duration::from_secs(10);

/// One control group.
#[derive(Debug, Clone)]
pub(crate) struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// Makes a group, given as a path from the root of the hierarchy, with every controller there is.
    ///
    /// # Errors
    /// A path that leads elsewhere; a group that cannot be made.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let mut reached = PathBuf::from(MOUNT);
        for component in path.components() {
            match component {
                Component::RootDir => continue,
                Component::Normal(name) => {
                    // A group's controllers are those that its parent hands down. A parent that cannot hand down one
                    // shows when a limit needs it.
                    let _ = enable_controllers(&reached);
                    reached.push(name);
                }
                _ => return Err(Error::Invalid(format!("invalid cgroup path {}", path.display()))),
            }
            match fs::create_dir(&reached) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => result.context(|| format!("failed to make cgroup {}", path.display()))?,
            }
        }
        Ok(Self { path: reached })
    }

    /// The group that a process is in.
    pub(crate) fn of(pid: Pid) -> Result<Self> {
        let file = format!("/proc/{}/cgroup", pid.as_raw_nonzero());
        let text = fs::read_to_string(&file).context(|| format!("failed to read {file}"))?;
        let path = text.lines().find_map(|line| line.strip_prefix("0::/"));
        let path =
            path.ok_or_else(|| Error::State(format!("process {} has no cgroup", pid.as_raw_nonzero())))?;
        Ok(Self {
            path: Path::new(MOUNT).join(path),
        })
    }

    /// Sets limits.
    ///
    /// # Errors
    /// A limit that the kernel refuses or has no controller for.
    pub(crate) fn apply(&self, resources: &LinuxResources) -> Result<()> {
        for (file, value) in settings(resources) {
            self.write(&file, &value)
                .context(|| format!("failed to set {file} to {value}"))?;
        }
        Ok(())
    }

    /// Opens the group's directory, for a process to be born in.
    pub(crate) fn open(&self) -> Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::openat(CWD, &self.path, flags, Mode::empty())
            .context(|| "failed to open the cgroup".into())
    }

    /// Writes one of the group's files.
    pub(crate) fn write(&self, file: &str, value: &str) -> io::Result<()> {
        fs::write(self.path.join(file), value)
    }

    /// Reads one of the group's files; `None` when its controller is not there.
    pub(crate) fn read(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.path.join(file)).ok()
    }

    /// Opens one of the group's files for reading.
    pub(crate) fn open_file(&self, file: &str) -> io::Result<fs::File> {
        fs::File::open(self.path.join(file))
    }

    /// The processes in the group and in those below it.
    pub(crate) fn processes(&self) -> Vec<i32> {
        let mut found = Vec::new();
        collect_processes(&self.path, &mut found);
        found
    }

    /// Has the processes in the group stand still until what is returned is dropped, and waits until they do. Those
    /// that stand still already go on doing so.
    ///
    /// # Errors
    /// A process that the kernel cannot hold up within [`FREEZING`]; they all go on then.
    pub(crate) fn freeze(&self) -> Result<Frozen<'_>> {
        let what = || format!("failed to freeze cgroup {}", self.path.display());
        if self
            .read("cgroup.freeze")
            .is_some_and(|state| state.trim() == "1")
        {
            return Ok(Frozen(None));
        }
        self.write("cgroup.freeze", "1").context(what)?;
        let frozen = Frozen(Some(self));
        let end = Instant::now() + FREEZING;
        let mut events = self.open_file("cgroup.events").context(what)?;
        loop {
            let mut text = String::new();
            events.rewind().context(what)?;
            events.read_to_string(&mut text).context(what)?;
            if counter(&text, "frozen") == Some(1) {
                return Ok(frozen);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::State(
                    "the container's processes do not stand still".into(),
                ));
            }
            let timeout = Timespec::try_from(left).ok();
            let mut ready = [PollFd::new(&events, PollFlags::PRI)];
            match poll(&mut ready, timeout.as_ref()) {
                Err(Errno::INTR) => {}
                result => result.map(drop).context(what)?,
            }
        }
    }

    /// Kills everything in the group and removes it, the innermost groups first. Blocks for up to 310 ms.
    ///
    /// # Errors
    /// A group that stays busy.
    pub(crate) fn remove(&self) -> Result<()> {
        match self.write("cgroup.kill", "1") {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            _ => {}
        }
        let mut wait = FIRST_WAIT;
        for attempt in 1.. {
            match remove_tree(&self.path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy && attempt < ATTEMPTS => {}
                result => {
                    return result.context(|| format!("failed to remove cgroup {}", self.path.display()));
                }
            }
            std::thread::sleep(wait);
            wait *= 2;
        }
        Ok(())
    }
}

/// Processes that stand still until this is dropped.
#[derive(Debug)]
pub(crate) struct Frozen<'a>(Option<&'a Cgroup>);

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        if let Some(cgroup) = self.0 {
            // A group that is gone has nobody to wake.
            let _ = cgroup.write("cgroup.freeze", "0");
        }
    }
}

/// Hands every controller that a group has down to its children.
pub(crate) fn enable_controllers(group: &Path) -> io::Result<()> {
    let controllers = fs::read_to_string(group.join("cgroup.controllers"))?;
    let all: Vec<String> = controllers
        .split_whitespace()
        .map(|name| format!("+{name}"))
        .collect();
    fs::write(group.join("cgroup.subtree_control"), all.join(" "))
}

/// One counter of a text of lines `name value`.
pub(crate) fn counter(text: &str, name: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

/// Groups that go away meanwhile have no processes.
fn collect_processes(path: &Path, found: &mut Vec<i32>) {
    let text = fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
    found.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect_processes(&entry.path(), found);
        }
    }
}

fn remove_tree(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(path)
}

/// The files that an OCI resource description comes down to, and their values.
fn settings(resources: &LinuxResources) -> Vec<(String, String)> {
    let mut settings = Vec::new();
    let mut set = |file: &str, value: String| settings.push((file.to_owned(), value));
    if let Some(memory) = resources.memory() {
        if let Some(limit) = memory.limit() {
            set("memory.max", or_max(limit));
        }
        if let Some(reservation) = memory.reservation() {
            set("memory.low", or_max(reservation));
        }
        // OCI counts memory and swap together, the kernel counts swap alone.
        match (memory.swap(), memory.limit()) {
            (Some(swap), _) if swap < 0 => set("memory.swap.max", or_max(swap)),
            (Some(swap), Some(limit)) if limit >= 0 => {
                set("memory.swap.max", (swap - limit).max(0).to_string());
            }
            _ => {}
        }
    }
    if let Some(cpu) = resources.cpu() {
        if let Some(shares) = cpu.shares().filter(|shares| *shares > 0) {
            // 2 to 262144 shares become a weight of 1 to 10000.
            let weight = 1 + shares.saturating_sub(2).saturating_mul(9999) / 262_142;
            set("cpu.weight", weight.min(10_000).to_string());
        }
        if cpu.quota().is_some() || cpu.period().is_some() {
            let quota = or_max(cpu.quota().unwrap_or(-1));
            set("cpu.max", format!("{quota} {}", cpu.period().unwrap_or(100_000)));
        }
        if let Some(cpus) = cpu.cpus() {
            set("cpuset.cpus", cpus.clone());
        }
        if let Some(mems) = cpu.mems() {
            set("cpuset.mems", mems.clone());
        }
    }
    if let Some(pids) = resources.pids() {
        set("pids.max", or_max(pids.limit()));
    }
    let mut unified: Vec<_> = resources.unified().iter().flatten().collect();
    unified.sort();
    for (file, value) in unified.into_iter().filter(|(file, _)| !file.contains('/')) {
        set(file, value.clone());
    }
    settings
}

fn or_max(value: i64) -> String {
    if value < 0 {
        "max".into()
    } else {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(resources: serde_json::Value) -> Vec<(String, String)> {
        settings(&serde_json::from_value(resources).unwrap())
    }

    fn pair(file: &str, value: &str) -> (String, String) {
        (file.into(), value.into())
    }

    #[test]
    fn limits_become_files() {
        let resources = json!({
            "memory": { "limit": 1_073_741_824_i64, "swap": 1_073_741_824_i64 },
            "cpu": { "quota": 400_000, "period": 100_000, "shares": 1024 },
            "pids": { "limit": 100 },
            "unified": { "memory.high": "1000", "../memory.high": "1" },
        });
        let expected = [
            pair("memory.max", "1073741824"),
            pair("memory.swap.max", "0"),
            pair("cpu.weight", "39"),
            pair("cpu.max", "400000 100000"),
            pair("pids.max", "100"),
            pair("memory.high", "1000"),
        ];
        assert_eq!(set(resources), expected);
    }

    #[test]
    fn minus_one_is_no_limit() {
        let resources =
            json!({ "memory": { "limit": -1, "swap": -1 }, "cpu": { "quota": -1 }, "pids": { "limit": -1 } });
        let expected = [
            pair("memory.max", "max"),
            pair("memory.swap.max", "max"),
            pair("cpu.max", "max 100000"),
            pair("pids.max", "max"),
        ];
        assert_eq!(set(resources), expected);
        assert_eq!(set(json!({})), []);
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        assert!(matches!(
            Cgroup::create(Path::new("/../x")),
            Err(Error::Invalid(_))
        ));
    }
}

//! As whom the guest's users use the host's files.

use std::fs;

use virtiofsd::soft_idmap::cmdline::IdMap;

/// Whose rights the guest's users have on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    /// Each has those of the same number: the system's root serves.
    Same,
    /// All have those of the user who serves, whom the guest sees as its root.
    One,
}

impl Identity {
    /// The system's root may be everybody; others, root of a user namespace among them, are only themselves.
    pub(crate) fn of_this_process() -> Self {
        let everybody = |file| fs::read_to_string(file).is_ok_and(|map| is_everybody(&map));
        if rustix::process::geteuid().is_root()
            && everybody("/proc/self/uid_map")
            && everybody("/proc/self/gid_map")
        {
            Self::Same
        } else {
            Self::One
        }
    }

    /// How user and group numbers of the guest become ones of the namespace that serves.
    pub(crate) fn map(self) -> Vec<IdMap> {
        match self {
            Self::Same => Vec::new(),
            Self::One => vec![IdMap::SquashGuest {
                from_guest: 0,
                to_host: 0,
                count: u32::MAX,
            }],
        }
    }
}

/// All numbers are mapped to themselves. The format is that of `/proc/<pid>/uid_map`.
fn is_everybody(map: &str) -> bool {
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_systems_root_is_everybody() {
        assert!(is_everybody("         0          0 4294967295\n"));
        assert!(!is_everybody("         0       1000          1\n"));
        assert!(!is_everybody("0 100000 65536\n65536 1 1\n"));
        assert!(!is_everybody(""));
    }
}

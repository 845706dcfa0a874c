//! In which of launchd's domains jobs run (behaviour.md 24.4).

use std::fmt;

/// A domain of launchd: jobs see the mach services of their own domain and of those around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Domain {
    /// The desktop session of a user.
    Gui(u32),
    /// Everything of a user, also without a desktop session.
    User(u32),
    /// The machine.
    System,
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gui(uid) => write!(f, "gui/{uid}"),
            Self::User(uid) => write!(f, "user/{uid}"),
            Self::System => f.write_str("system"),
        }
    }
}

impl Domain {
    /// The domains to load a job of user `uid` into, the best first. `manager` is what `launchctl managername` says.
    ///
    /// A session that has no desktop, such as one over SSH, can be told that a job was loaded for the desktop which was
    /// not: so whoever loads a job looks for it afterwards, and goes on to the next domain.
    pub(super) fn choose(manager: &str, uid: u32) -> Vec<Self> {
        match (manager.trim(), uid) {
            // The superuser has no desktop, also where `sudo` runs in somebody else's.
            (_, 0) | ("System", _) => vec![Self::System],
            ("Background", _) => vec![Self::User(uid)],
            _ => vec![Self::Gui(uid), Self::User(uid)],
        }
    }

    /// Every domain that a job of user `uid` may have been loaded into, from whatever session.
    pub(super) fn all(uid: u32) -> Vec<Self> {
        if uid == 0 {
            vec![Self::System]
        } else {
            vec![Self::Gui(uid), Self::User(uid)]
        }
    }

    /// The kinds of sessions that a job has to name to be loaded here; none for all of the machine's.
    pub(super) fn session_types(self) -> &'static [&'static str] {
        match self {
            Self::Gui(_) | Self::User(_) => &["Aqua", "Background"],
            Self::System => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_choose_their_domain() {
        assert_eq!(
            Domain::choose("Aqua\n", 501),
            [Domain::Gui(501), Domain::User(501)]
        );
        assert_eq!(Domain::choose("Background", 501), [Domain::User(501)]);
        assert_eq!(Domain::choose("System", 501), [Domain::System]);
        assert_eq!(Domain::choose("Aqua", 0), [Domain::System]);
        assert_eq!(Domain::choose("", 501), [Domain::Gui(501), Domain::User(501)]);
    }

    #[test]
    fn domains_are_written_as_launchctl_reads_them() {
        let all = [Domain::Gui(501), Domain::User(501), Domain::System];
        assert_eq!(
            all.map(|domain| domain.to_string()),
            ["gui/501", "user/501", "system"]
        );
    }
}

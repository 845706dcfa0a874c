//! Linux capabilities by name (behaviour reference, 9.12 and 30.3).

/// Every capability, with the `CAP_` prefix, in the kernel's order.
pub const ALL: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// What a container has unless it asks otherwise.
const DEFAULT: [&str; 14] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// The word that stands for every capability.
pub const ALL_WORD: &str = "ALL";

/// The full name of what a user wrote: any case, with or without `CAP_`, or the word `ALL`. `None` when there is no
/// such capability.
pub fn canonical(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_uppercase();
    if name == ALL_WORD {
        return Some(ALL_WORD);
    }
    let bare = name.strip_prefix("CAP_").unwrap_or(&name);
    ALL.into_iter()
        .find(|known| known.strip_prefix("CAP_") == Some(bare))
}

/// What a container has that adds and drops these canonical names: `ALL` in either list goes first, then single
/// additions, then single drops.
pub fn effective(add: &[String], drop: &[String]) -> Vec<&'static str> {
    let names = |list: &[String], name: &str| list.iter().any(|entry| canonical(entry) == Some(name));
    let everything = names(add, ALL_WORD);
    let nothing = names(drop, ALL_WORD);
    ALL.into_iter()
        .filter(|name| everything || names(add, name) || (!nothing && DEFAULT.contains(name)))
        .filter(|name| !names(drop, name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effective_of(add: &[&str], drop: &[&str]) -> Vec<&'static str> {
        let owned = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        effective(&owned(add), &owned(drop))
    }

    #[test]
    fn names_in_any_spelling() {
        assert_eq!(canonical("net_admin"), Some("CAP_NET_ADMIN"));
        assert_eq!(canonical("Cap_Net_Admin"), Some("CAP_NET_ADMIN"));
        assert_eq!(canonical("all"), Some("ALL"));
        assert_eq!(canonical("CAP_ALL"), None);
        assert_eq!(canonical("flying"), None);
    }

    #[test]
    fn sets_follow_the_rules() {
        assert_eq!(effective_of(&[], &[]).len(), 14);
        assert_eq!(effective_of(&[], &["ALL"]), Vec::<&str>::new());
        assert_eq!(effective_of(&["NET_ADMIN"], &["ALL"]), ["CAP_NET_ADMIN"]);
        assert_eq!(effective_of(&["ALL"], &["NET_RAW"]).len(), 40);
        assert_eq!(effective_of(&["ALL"], &["ALL"]).len(), 41);
        assert!(!effective_of(&[], &["KILL"]).contains(&"CAP_KILL"));
    }
}

//! Mount options, as fstab(5) and the OCI runtime specification write them.

use libc::c_ulong;

/// Flags that say what a mount is rather than how it behaves.
const KIND: c_ulong = libc::MS_BIND | libc::MS_REC | libc::MS_REMOUNT;

/// Parsed options of one mount.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MountOptions {
    /// Flags of mount(2).
    pub(crate) flags: c_ulong,
    /// Propagation flags, for which mount(2) wants a call of their own.
    pub(crate) propagation: Vec<c_ulong>,
    /// Everything else, for the file system.
    pub(crate) data: String,
}

impl MountOptions {
    /// Parses options, of which each may be a comma-separated list itself. Later ones win.
    pub(crate) fn parse<'a>(options: impl IntoIterator<Item = &'a str>) -> Self {
        let mut parsed = Self::default();
        let mut data = Vec::new();
        for option in options.into_iter().flat_map(|option| option.split(',')) {
            if let Some((clear, flag)) = flag(option) {
                parsed.flags = if clear {
                    parsed.flags & !flag
                } else {
                    parsed.flags | flag
                };
            } else if let Some(flag) = propagation(option) {
                parsed.propagation.push(flag);
            } else if !matches!(option, "" | "defaults") {
                data.push(option);
            }
        }
        parsed.data = data.join(",");
        parsed
    }

    /// Whether an existing directory or file is to appear at a second place.
    pub(crate) fn is_bind(&self) -> bool {
        self.flags & libc::MS_BIND != 0
    }

    /// Flags that a new bind mount ignores and that a remount must set.
    pub(crate) fn bind_attributes(&self) -> c_ulong {
        self.flags & !KIND
    }

    /// The value of `name=value` among the options of the file system.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.data
            .split(',')
            .find_map(|option| option.strip_prefix(name)?.strip_prefix('='))
    }
}

fn flag(option: &str) -> Option<(bool, c_ulong)> {
    Some(match option {
        "async" => (true, libc::MS_SYNCHRONOUS),
        "atime" => (true, libc::MS_NOATIME),
        "bind" => (false, libc::MS_BIND),
        "dev" => (true, libc::MS_NODEV),
        "diratime" => (true, libc::MS_NODIRATIME),
        "dirsync" => (false, libc::MS_DIRSYNC),
        "exec" => (true, libc::MS_NOEXEC),
        "lazytime" => (false, libc::MS_LAZYTIME),
        "noatime" => (false, libc::MS_NOATIME),
        "nodev" => (false, libc::MS_NODEV),
        "nodiratime" => (false, libc::MS_NODIRATIME),
        "noexec" => (false, libc::MS_NOEXEC),
        "nolazytime" => (true, libc::MS_LAZYTIME),
        "norelatime" => (true, libc::MS_RELATIME),
        "nostrictatime" => (true, libc::MS_STRICTATIME),
        "nosuid" => (false, libc::MS_NOSUID),
        "nosymfollow" => (false, libc::MS_NOSYMFOLLOW),
        "rbind" => (false, libc::MS_BIND | libc::MS_REC),
        "relatime" => (false, libc::MS_RELATIME),
        "remount" => (false, libc::MS_REMOUNT),
        "ro" => (false, libc::MS_RDONLY),
        "rw" => (true, libc::MS_RDONLY),
        "silent" => (false, libc::MS_SILENT),
        "strictatime" => (false, libc::MS_STRICTATIME),
        "suid" => (true, libc::MS_NOSUID),
        "symfollow" => (true, libc::MS_NOSYMFOLLOW),
        "sync" => (false, libc::MS_SYNCHRONOUS),
        _ => return None,
    })
}

fn propagation(option: &str) -> Option<c_ulong> {
    let (recursive, name) = match option.strip_prefix('r') {
        Some(name) => (libc::MS_REC, name),
        None => (0, option),
    };
    let flag = match name {
        "private" => libc::MS_PRIVATE,
        "shared" => libc::MS_SHARED,
        "slave" => libc::MS_SLAVE,
        "unbindable" => libc::MS_UNBINDABLE,
        _ => return None,
    };
    Some(flag | recursive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_propagation_and_data_are_told_apart() {
        let options = MountOptions::parse([
            "nosuid",
            "noexec",
            "mode=1777",
            "rslave",
            "size=65536k",
            "defaults",
        ]);
        assert_eq!(options.flags, libc::MS_NOSUID | libc::MS_NOEXEC);
        assert_eq!(options.propagation, [libc::MS_SLAVE | libc::MS_REC]);
        assert_eq!(options.data, "mode=1777,size=65536k");
        assert_eq!(options.value("size"), Some("65536k"));
        assert_eq!(options.value("siz"), None);
    }

    #[test]
    fn the_last_word_counts() {
        assert_eq!(MountOptions::parse(["ro", "rw"]).flags, 0);
        assert_eq!(MountOptions::parse(["rw,ro"]).flags, libc::MS_RDONLY);
    }

    #[test]
    fn a_bind_keeps_its_attributes_for_the_remount() {
        let options = MountOptions::parse(["rbind", "ro", "nodev"]);
        assert!(options.is_bind());
        assert_eq!(options.bind_attributes(), libc::MS_RDONLY | libc::MS_NODEV);
        assert_eq!(MountOptions::parse(["rbind", "rw"]).bind_attributes(), 0);
    }
}

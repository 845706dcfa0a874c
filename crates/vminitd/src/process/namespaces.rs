//! Which namespaces a container's first process is born into.

use libc::c_int;
use oci_spec::runtime::{LinuxNamespaceType, Spec};

use crate::error::{Error, Result};

/// The namespaces that a clone can start with, as flags of clone(2). The control group namespace is left to
/// the launcher: it would start at the agent's group.
///
/// # Errors
/// A namespace that is to be shared with something else, or one that needs more than a flag.
pub(super) fn of(spec: &Spec) -> Result<c_int> {
    let listed = spec
        .linux()
        .as_ref()
        .and_then(|linux| linux.namespaces().as_ref());
    let mut flags = 0;
    for namespace in listed.into_iter().flatten() {
        let kind = namespace.typ();
        if namespace.path().is_some() {
            return Err(Error::Unsupported(format!(
                "joining a {kind} namespace is not supported"
            )));
        }
        flags |= match kind {
            LinuxNamespaceType::Cgroup => 0,
            LinuxNamespaceType::Ipc => libc::CLONE_NEWIPC,
            LinuxNamespaceType::Mount => libc::CLONE_NEWNS,
            LinuxNamespaceType::Network => libc::CLONE_NEWNET,
            LinuxNamespaceType::Pid => libc::CLONE_NEWPID,
            LinuxNamespaceType::Uts => libc::CLONE_NEWUTS,
            LinuxNamespaceType::User | LinuxNamespaceType::Time => {
                return Err(Error::Unsupported(format!("a {kind} namespace is not supported")));
            }
        };
    }
    if flags & libc::CLONE_NEWNS == 0 {
        return Err(Error::Invalid(
            "a container needs a mount namespace of its own".into(),
        ));
    }
    Ok(flags)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn flags(namespaces: serde_json::Value) -> Result<c_int> {
        let spec = json!({ "ociVersion": "1.1.0", "linux": { "namespaces": namespaces } });
        namespaces_of(spec)
    }

    fn namespaces_of(spec: serde_json::Value) -> Result<c_int> {
        of(&serde_json::from_value(spec).unwrap())
    }

    #[test]
    fn namespaces_become_flags() {
        let listed = json!([{ "type": "cgroup" }, { "type": "ipc" }, { "type": "mount" }, { "type": "pid" }, { "type": "uts" }]);
        let expected = libc::CLONE_NEWIPC | libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWUTS;
        assert_eq!(flags(listed).unwrap(), expected);
    }

    #[test]
    fn namespaces_that_cannot_be_had_are_refused() {
        assert!(flags(json!([{ "type": "mount", "path": "/proc/1/ns/mnt" }])).is_err());
        assert!(flags(json!([{ "type": "mount" }, { "type": "user" }])).is_err());
        assert!(flags(json!([{ "type": "pid" }])).is_err());
        assert!(namespaces_of(json!({ "ociVersion": "1.1.0" })).is_err());
    }
}

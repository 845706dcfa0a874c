//! The OCI runtime specification that the guest agent gets (behaviour reference, 30).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use container_resource::{
    ContainerConfiguration, Filesystem, FilesystemType, ProcessConfiguration, Rlimit, User, capability, paths,
};
use container_sandbox::GROUPS_ANNOTATION;
use oci_spec::runtime::{
    Capability, LinuxBuilder, LinuxCapabilitiesBuilder, LinuxCpuBuilder, LinuxMemoryBuilder, LinuxNamespace,
    LinuxNamespaceBuilder, LinuxNamespaceType, LinuxPidsBuilder, LinuxResourcesBuilder, Mount, MountBuilder,
    PosixRlimit, PosixRlimitBuilder, PosixRlimitType, Process, ProcessBuilder, RootBuilder, Spec,
    SpecBuilder, UserBuilder,
};

use crate::error::Error;
use crate::{guest, shares, sockets, volumes};

/// Where the agent's own binary appears in the container with `--init`.
const INIT_PATH: &str = "/.cz-init";
/// The period against which processor time is limited, in microseconds.
const CPU_PERIOD: u64 = 100_000;
/// `/dev/shm` unless asked otherwise.
const DEFAULT_SHM: &str = "size=65536k";

/// The outermost directories that every container has something of the system mounted at.
const DEFAULT_MOUNT_POINTS: [&str; 3] = ["/proc", "/sys", "/dev"];

/// Set whatever the user asks for: a container never knows its virtual machine's memory better than it does.
const FORCED_SYSCTLS: [(&str, &str); 2] = [("vm.overcommit_memory", "1"), ("vm.max_map_count", "262144")];

/// The specification of a container's init process, with `environment` added to its own, and with the socket of the
/// host's SSH agent if there is one.
///
/// # Errors
/// A resource limit has a name that Linux does not know.
pub(crate) fn container(
    configuration: &ContainerConfiguration,
    environment: &BTreeMap<String, String>,
    ssh_agent: bool,
) -> Result<Spec, Error> {
    let mut init = configuration.init_process.clone();
    add_environment(&mut init.environment, environment);
    if configuration.use_init {
        init.arguments.splice(0..0, ["--".to_owned(), init.executable]);
        init.executable = INIT_PATH.to_owned();
    }
    let process = process(configuration, &init)?;
    let root = RootBuilder::default()
        .path(guest::root_path(&configuration.id))
        .readonly(configuration.read_only)
        .build()?;
    let spec = SpecBuilder::default()
        .process(process)
        .root(root)
        .hostname(hostname(configuration))
        .mounts(mounts(configuration, ssh_agent)?)
        .linux(linux(configuration)?)
        .annotations(annotations(&init))
        .build()?;
    Ok(spec)
}

/// Adds variables that a start brings. What the user set is never overridden.
pub(crate) fn add_environment(environment: &mut Vec<String>, added: &BTreeMap<String, String>) {
    for (key, value) in added {
        if !environment
            .iter()
            .any(|entry| entry.split('=').next() == Some(key.as_str()))
        {
            environment.push(format!("{key}={value}"));
        }
    }
}

/// What the specification has no place for, for the agent.
pub(crate) fn annotations(process: &ProcessConfiguration) -> HashMap<String, String> {
    let names = process.supplemental_group_names.join(",");
    let groups = Some(names).filter(|names| !names.is_empty());
    groups
        .map(|names| (GROUPS_ANNOTATION.to_owned(), names))
        .into_iter()
        .collect()
}

/// The process part alone, as `exec` needs it.
///
/// # Errors
/// A resource limit has a name that Linux does not know.
pub(crate) fn process(
    configuration: &ContainerConfiguration,
    process: &ProcessConfiguration,
) -> Result<Process, Error> {
    let mut arguments = vec![process.executable.clone()];
    arguments.extend(process.arguments.iter().cloned());
    let mut user = UserBuilder::default();
    user = match &process.user {
        User::Id { uid, gid } => user.uid(*uid).gid(*gid),
        User::Raw { user_string } => user.username(user_string.clone()),
    };
    let user = user
        .additional_gids(process.supplemental_groups.clone())
        .build()?;
    let capabilities: HashSet<Capability> =
        capability::effective(&configuration.cap_add, &configuration.cap_drop)
            .into_iter()
            .filter_map(|name| name.strip_prefix("CAP_")?.parse().ok())
            .collect();
    let capabilities = LinuxCapabilitiesBuilder::default()
        .bounding(capabilities.clone())
        .effective(capabilities.clone())
        .permitted(capabilities)
        .inheritable(HashSet::new())
        .ambient(HashSet::new())
        .build()?;
    let rlimits = process
        .rlimits
        .iter()
        .map(rlimit)
        .collect::<Result<Vec<_>, _>>()?;
    let process = ProcessBuilder::default()
        .args(arguments)
        .env(process.environment.clone())
        .cwd(PathBuf::from(&process.working_directory))
        .terminal(process.terminal)
        .user(user)
        .capabilities(capabilities)
        .rlimits(rlimits)
        .no_new_privileges(false)
        .build()?;
    Ok(process)
}

/// The guest's host name: what was asked for, else the first label of the first network's name, else the id.
pub(crate) fn hostname(configuration: &ContainerConfiguration) -> String {
    if let Some(hostname) = &configuration.hostname {
        return hostname.clone();
    }
    let full = configuration
        .networks
        .first()
        .map_or(&configuration.id, |network| &network.options.hostname);
    full.split('.').next().unwrap_or(full).to_owned()
}

fn rlimit(limit: &Rlimit) -> Result<PosixRlimit, Error> {
    let kind: PosixRlimitType = serde_json::from_value(serde_json::Value::String(limit.limit.clone()))
        .map_err(|_| Error::Rlimit(limit.limit.clone()))?;
    Ok(PosixRlimitBuilder::default()
        .typ(kind)
        .soft(limit.soft)
        .hard(limit.hard)
        .build()?)
}

fn linux(configuration: &ContainerConfiguration) -> Result<oci_spec::runtime::Linux, Error> {
    let resources = &configuration.resources;
    let memory = i64::try_from(resources.memory_in_bytes).unwrap_or(i64::MAX);
    let all = u64::from(resources.cpus) * CPU_PERIOD;
    let quota = i64::try_from(resources.cpu_quota.unwrap_or(all)).unwrap_or(i64::MAX);
    let pids = resources.pids_limit.map_or(-1, i64::from);
    let limits = LinuxResourcesBuilder::default()
        .pids(LinuxPidsBuilder::default().limit(pids).build()?)
        .memory(LinuxMemoryBuilder::default().limit(memory).build()?)
        .cpu(
            LinuxCpuBuilder::default()
                .quota(quota)
                .period(CPU_PERIOD)
                .build()?,
        )
        .build()?;
    let mut sysctls: HashMap<String, String> = configuration.sysctls.clone().into_iter().collect();
    sysctls.extend(FORCED_SYSCTLS.map(|(key, value)| (key.to_owned(), value.to_owned())));
    let listed = |list: &Option<Vec<String>>, default: &[&str]| {
        list.clone()
            .unwrap_or_else(|| default.iter().map(|path| (*path).to_owned()).collect())
    };
    let linux = LinuxBuilder::default()
        .namespaces(namespaces()?)
        .cgroups_path(PathBuf::from("/container").join(&configuration.id))
        .resources(limits)
        .sysctl(sysctls)
        .masked_paths(listed(&configuration.masked_paths, &paths::MASKED))
        .readonly_paths(listed(&configuration.readonly_paths, &paths::READONLY))
        .build()?;
    Ok(linux)
}

/// No network and no user namespace: the virtual machine is the boundary.
fn namespaces() -> Result<Vec<LinuxNamespace>, Error> {
    let kinds = [
        LinuxNamespaceType::Cgroup,
        LinuxNamespaceType::Ipc,
        LinuxNamespaceType::Mount,
        LinuxNamespaceType::Pid,
        LinuxNamespaceType::Uts,
    ];
    kinds
        .into_iter()
        .map(|kind| Ok(LinuxNamespaceBuilder::default().typ(kind).build()?))
        .collect()
}

/// The default mounts and then the user's, parents before children.
fn mounts(configuration: &ContainerConfiguration, ssh_agent: bool) -> Result<Vec<Mount>, Error> {
    let shm = configuration
        .shm_size
        .map_or_else(|| DEFAULT_SHM.to_owned(), |bytes| format!("size={bytes}"));
    let defaults: [(&str, &str, &str, Vec<&str>); 7] = [
        ("/proc", "proc", "proc", vec![]),
        ("/sys", "sysfs", "sysfs", vec!["nosuid", "noexec", "nodev"]),
        ("/dev", "devtmpfs", "none", vec!["nosuid", "mode=755"]),
        (
            "/dev/mqueue",
            "mqueue",
            "mqueue",
            vec!["nosuid", "noexec", "nodev"],
        ),
        (
            "/dev/shm",
            "tmpfs",
            "tmpfs",
            vec!["nosuid", "noexec", "nodev", "mode=1777", &shm],
        ),
        (
            "/sys/fs/cgroup",
            "cgroup2",
            "none",
            vec!["nosuid", "noexec", "nodev"],
        ),
        (
            "/dev/pts",
            "devpts",
            "devpts",
            vec![
                "nosuid",
                "noexec",
                "newinstance",
                "gid=5",
                "mode=0620",
                "ptmxmode=0666",
            ],
        ),
    ];
    let mut mounts = Vec::new();
    for (destination, kind, source, options) in defaults {
        mounts.push(mount(
            destination,
            kind,
            source,
            options.into_iter().map(str::to_owned).collect(),
        )?);
    }
    for filesystem in &configuration.mounts {
        mounts.push(match &filesystem.kind {
            FilesystemType::Tmpfs {} => {
                let options = filesystem.options.clone();
                mount(&filesystem.destination, "tmpfs", "tmpfs", options)?
            }
            FilesystemType::Volume { .. } | FilesystemType::Virtiofs {} => {
                let source = staged(configuration, filesystem).unwrap_or_default();
                let options = [&["bind".to_owned()], filesystem.options.as_slice()].concat();
                mount(&filesystem.destination, "bind", &source, options)?
            }
            FilesystemType::Block { .. } => {
                return Err(Error::UnsupportedMount(filesystem.destination.clone()));
            }
        });
    }
    let binds = [
        (configuration.use_init, INIT_PATH, guest::AGENT_PATH, "ro"),
        (ssh_agent, sockets::SSH_SOCKET, sockets::SSH_STAGED, "rw"),
    ];
    for (_, destination, source, access) in binds.into_iter().filter(|(wanted, ..)| *wanted) {
        let options = vec!["bind".to_owned(), access.to_owned()];
        mounts.push(mount(destination, "bind", source, options)?);
    }
    mounts.sort_by_key(|mount| mount.destination().components().count());
    Ok(mounts)
}

/// What is in the container's root file system because it runs rather than because it wrote it: mount points of its
/// own, and files that the agent writes at every start.
pub(crate) fn own_paths(configuration: &ContainerConfiguration) -> Vec<String> {
    let mounted = DEFAULT_MOUNT_POINTS
        .into_iter()
        .chain([INIT_PATH, sockets::SSH_SOCKET]);
    let written = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"];
    let users = |path: &&str| {
        !configuration
            .mounts
            .iter()
            .any(|mount| mount.destination == *path)
    };
    mounted.chain(written).filter(users).map(str::to_owned).collect()
}

/// Where in the guest a volume, directory or file is that is bound into the container.
pub(crate) fn staged(configuration: &ContainerConfiguration, filesystem: &Filesystem) -> Option<String> {
    match &filesystem.kind {
        FilesystemType::Volume { name, .. } if !filesystem.is_shared() => {
            Some(volumes::path(configuration, name))
        }
        FilesystemType::Virtiofs {} if sockets::is_mounted(filesystem) => {
            Some(sockets::staged(configuration, filesystem))
        }
        FilesystemType::Virtiofs {} | FilesystemType::Volume { .. } => {
            Some(shares::path(configuration, filesystem))
        }
        FilesystemType::Tmpfs {} | FilesystemType::Block { .. } => None,
    }
}

/// Volumes, directories and files that are bound into the container: where in the guest they are, and where in the
/// container.
pub(crate) fn host_mounts(configuration: &ContainerConfiguration) -> Vec<(String, &str)> {
    let mounts = configuration.mounts.iter();
    mounts
        .filter(|mount| !sockets::is_mounted(mount))
        .filter_map(|mount| Some((staged(configuration, mount)?, mount.destination.as_str())))
        .collect()
}

fn mount(destination: &str, kind: &str, source: &str, options: Vec<String>) -> Result<Mount, Error> {
    let mount = MountBuilder::default()
        .destination(PathBuf::from(destination))
        .typ(kind)
        .source(PathBuf::from(source))
        .options(options)
        .build()?;
    Ok(mount)
}

#[cfg(test)]
mod tests {
    use container_resource::filesystem::{CacheMode, SyncMode};

    use super::*;
    use crate::testing;

    fn spec(change: impl FnOnce(&mut ContainerConfiguration)) -> serde_json::Value {
        let mut configuration = testing::configuration("web");
        change(&mut configuration);
        let environment = BTreeMap::from([("SSH_AUTH_SOCK".to_owned(), sockets::SSH_SOCKET.to_owned())]);
        let spec = container(&configuration, &environment, true);
        serde_json::to_value(spec.ok()).unwrap_or_default()
    }

    #[test]
    fn limits_follow_the_configuration() {
        let spec = spec(|configuration| configuration.resources.cpus = 2);
        assert_eq!(spec["linux"]["resources"]["cpu"]["quota"], 200_000);
        assert_eq!(spec["linux"]["resources"]["memory"]["limit"], 1 << 30);
        assert_eq!(spec["linux"]["cgroupsPath"], "/container/web");
        assert_eq!(spec["root"]["path"], "/run/container/web/rootfs");
        assert_eq!(spec["linux"]["sysctl"]["vm.max_map_count"], "262144");
        assert_eq!(
            spec["process"]["capabilities"]["bounding"]
                .as_array()
                .map(Vec::len),
            Some(14)
        );
        assert_eq!(spec["linux"]["maskedPaths"].as_array().map(Vec::len), Some(11));
    }

    #[test]
    fn mounts_are_sorted_by_depth() {
        let spec = spec(|configuration| {
            configuration.mounts.push(Filesystem::tmpfs("/a", vec![]));
            configuration.shm_size = Some(4096);
        });
        let mounts = spec["mounts"].as_array().cloned().unwrap_or_default();
        let depth = |mount: &serde_json::Value| {
            mount["destination"]
                .as_str()
                .map(|path| path.matches('/').count())
        };
        assert!(mounts.is_sorted_by_key(depth));
        assert!(
            mounts
                .iter()
                .any(|mount| mount["destination"] == "/a" && mount["type"] == "tmpfs")
        );
        let shm = mounts.iter().find(|mount| mount["destination"] == "/dev/shm");
        assert!(shm.is_some_and(|shm| shm["options"].to_string().contains("size=4096")));
    }

    #[test]
    fn init_wraps_the_init_process() {
        let spec = spec(|configuration| configuration.use_init = true);
        assert_eq!(
            spec["process"]["args"],
            serde_json::json!([INIT_PATH, "--", "sh", "-c", "true"])
        );
        let mounts = spec["mounts"].as_array().cloned().unwrap_or_default();
        let init = mounts.iter().find(|mount| mount["destination"] == INIT_PATH);
        assert!(init.is_some_and(|init| init["source"] == guest::AGENT_PATH));
    }

    #[test]
    fn the_ssh_agent_is_mounted_and_named() {
        let spec = spec(|_| {});
        let socket = "SSH_AUTH_SOCK=/var/host-services/ssh-auth.sock";
        assert_eq!(spec["process"]["env"], serde_json::json!([socket]));
        let last = spec["mounts"].as_array().and_then(|mounts| mounts.last());
        assert_eq!(
            last.map(|mount| &mount["destination"]),
            Some(&sockets::SSH_SOCKET.into())
        );
    }

    #[test]
    fn the_users_environment_wins() {
        let spec = spec(|configuration| {
            configuration.init_process.environment = vec!["SSH_AUTH_SOCK=/mine".to_owned()];
        });
        assert_eq!(spec["process"]["env"], serde_json::json!(["SSH_AUTH_SOCK=/mine"]));
    }

    #[test]
    fn mounts_of_other_kinds_are_refused() {
        let mut configuration = testing::configuration("web");
        let share = Filesystem {
            kind: FilesystemType::Block {
                format: "ext4".to_owned(),
                cache: CacheMode::On {},
                sync: SyncMode::Fsync {},
            },
            ..Filesystem::tmpfs("/host", vec![])
        };
        configuration.mounts.push(share);
        assert!(matches!(
            container(&configuration, &BTreeMap::new(), false),
            Err(Error::UnsupportedMount(_))
        ));
    }
}

//! An agent to talk to, wherever it runs, and containers in it.

#![allow(dead_code, reason = "each test binary uses its own part")]

pub(crate) mod machine;
pub(crate) mod namespaces;
pub(crate) mod scenarios;
pub(crate) mod session;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use container_hypervisor::{Connection, Listener, VirtualMachine};
use container_mux::Mux;
use container_sandbox::{AGENT_PORT, Agent, proto};
use serde_json::{Value, json};

/// Longer than anything here takes on a busy machine without hardware acceleration.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The container's identifier in every test.
pub(crate) const ID: &str = "box";

/// Its root file system.
pub(crate) const ROOT: &str = "/run/container/box/rootfs";

/// A running agent.
pub(crate) struct Guest {
    pub(crate) agent: Agent,
    pub(crate) link: Link,
    /// What ends the guest when it is dropped.
    _keep: Box<dyn std::any::Any + Send + Sync>,
    /// Path of the agent's binary in the guest.
    pub(crate) program: String,
    /// File systems that a container has instead of a devtmpfs, which it would share with the host.
    devices: Vec<Value>,
    next_port: AtomicU32,
}

/// The host's side of the way to the guest.
pub(crate) enum Link {
    Mux(Mux),
    Machine(Box<dyn VirtualMachine>),
}

/// Accepts the guest's connections to one port.
pub(crate) enum Accept {
    Mux(container_mux::Listener),
    Machine(Box<dyn Listener>),
}

impl Link {
    pub(crate) async fn connect(&self, port: u32) -> Connection {
        match self {
            Self::Mux(mux) => Box::new(soon(mux.connect_when_listening(port)).await.unwrap()),
            Self::Machine(machine) => soon(machine.connect(port)).await.unwrap(),
        }
    }

    pub(crate) fn listen(&self, port: u32) -> Accept {
        match self {
            Self::Mux(mux) => Accept::Mux(mux.listen(port).unwrap()),
            Self::Machine(machine) => Accept::Machine(machine.listen(port).unwrap()),
        }
    }
}

impl Accept {
    pub(crate) async fn accept(&mut self) -> Connection {
        match self {
            Self::Mux(listener) => Box::new(listener.accept().await.unwrap()),
            Self::Machine(listener) => listener.accept().await.unwrap(),
        }
    }
}

impl Guest {
    pub(crate) async fn new(
        link: Link,
        keep: Box<dyn std::any::Any + Send + Sync>,
        devices: Vec<Value>,
        program: &str,
    ) -> Self {
        let agent = soon(Agent::connect(link.connect(AGENT_PORT).await))
            .await
            .unwrap();
        // The connection is lazy: the first call shows that somebody is there.
        soon(agent.sync(proto::SyncRequest {})).await.unwrap();
        Self {
            agent,
            link,
            _keep: keep,
            devices,
            program: program.to_owned(),
            next_port: AtomicU32::new(0x1000_0000),
        }
    }

    pub(crate) fn port(&self) -> u32 {
        self.next_port.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) async fn mount(&self, fstype: &str, source: &str, destination: &str, options: &[&str]) {
        let request = proto::MountRequest {
            r#type: fstype.into(),
            source: source.into(),
            destination: destination.into(),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            ..proto::MountRequest::default()
        };
        soon(self.agent.mount(request)).await.unwrap();
    }

    /// The specification of a container that runs `args`.
    pub(crate) fn spec(&self, args: &[&str]) -> Value {
        let capabilities = [
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
        let mut mounts = vec![
            json!({ "destination": "/proc", "type": "proc", "source": "proc" }),
            json!({ "destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev"] }),
        ];
        mounts.extend(self.devices.iter().cloned());
        mounts.extend([
            json!({ "destination": "/dev/shm", "type": "tmpfs", "source": "tmpfs",
                "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"] }),
            json!({ "destination": "/sys/fs/cgroup", "type": "cgroup2", "source": "none",
                "options": ["nosuid", "noexec", "nodev"] }),
            json!({ "destination": "/dev/pts", "type": "devpts", "source": "devpts",
                "options": ["nosuid", "noexec", "newinstance", "gid=5", "mode=0620", "ptmxmode=0666"] }),
        ]);
        json!({
            "ociVersion": "1.1.0",
            "root": { "path": ROOT },
            "hostname": "boxhost",
            "mounts": mounts,
            "process": {
                "terminal": false,
                "user": { "uid": 0, "gid": 0 },
                "args": args,
                "env": [],
                "cwd": "/",
                "noNewPrivileges": false,
                "capabilities": {
                    "bounding": capabilities, "effective": capabilities, "permitted": capabilities,
                    "inheritable": [], "ambient": [],
                },
            },
            "linux": {
                "namespaces": [
                    { "type": "cgroup" }, { "type": "ipc" }, { "type": "mount" }, { "type": "pid" }, { "type": "uts" },
                ],
                // Guests in namespaces share the host's cgroup hierarchy.
                "cgroupsPath": format!("/container/{ID}-{}", std::process::id()),
                "maskedPaths": ["/proc/kcore", "/sys/firmware", "/proc/nothing-here"],
                "readonlyPaths": ["/proc/sys", "/proc/nothing-here"],
            },
        })
    }
}

/// Fails a test that would hang.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("nothing happened")
}

pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

pub(crate) fn shell(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Fills a directory with a small root file system.
pub(crate) fn make_root(root: &Path) {
    for directory in ["bin", "etc", "tmp", "opt", "usr/local/bin"] {
        std::fs::create_dir_all(root.join(directory)).unwrap();
    }
    std::fs::copy("/bin/busybox", root.join("bin/busybox")).expect("busybox-static is installed");
    for applet in [
        "awk", "cat", "chmod", "date", "dd", "echo", "env", "false", "grep", "head", "hostname", "id", "ip",
        "kill", "ls", "md5sum", "mkdir", "mount", "ps", "pwd", "readlink", "sh", "sleep", "stat", "stty",
        "test", "touch", "true", "tty", "umask", "wc", "yes",
    ] {
        std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
    std::fs::write(
        root.join("etc/passwd"),
        "root:x:0:0::/root:/bin/sh\nmat:x:1000:100::/home/mat:/bin/sh\n",
    )
    .unwrap();
    std::fs::write(
        root.join("etc/group"),
        "root:x:0:\nusers:x:100:\ndialout:x:20:mat\n",
    )
    .unwrap();
    std::fs::write(root.join("opt/plain"), "no program").unwrap();
    std::fs::write(root.join("opt/lost"), "#!/no/such/interpreter\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(root.join("opt/lost"), mode).unwrap();
}

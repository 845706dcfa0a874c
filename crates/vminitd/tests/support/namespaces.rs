//! The agent as process 1 of namespaces on this machine: everything but the kernel is its own.

use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use container_mux::{Mux, Side};
use serde_json::json;
use tempfile::TempDir;

use super::{Guest, Link, ROOT, make_root};

/// Kills the agent, and with it its namespaces.
struct Agent {
    child: Child,
    _root: TempDir,
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts an agent. `None`, loudly, for a user who may not make namespaces.
pub(crate) async fn start() -> Option<Guest> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: not root, and the agent needs namespaces");
        return None;
    }
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let mut command = Command::new("unshare");
    command
        .args([
            "--mount",
            "--pid",
            "--uts",
            "--ipc",
            "--net",
            "--cgroup",
            "--fork",
            "--kill-child",
            "--",
        ])
        .arg(env!("CARGO_BIN_EXE_vminitd"))
        .args(["--link", "3"]);
    let fd = theirs.as_raw_fd();
    // SAFETY: only an async-signal-safe call.
    unsafe {
        command.pre_exec(move || {
            if libc::dup2(fd, 3) < 0 {
                Err(std::io::Error::last_os_error())
            } else {
                Ok(())
            }
        });
    }
    let child = command.spawn().unwrap();
    drop(theirs);
    // Not below /tmp or /run, which the agent covers with its own.
    let root = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    std::fs::set_permissions(root.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    make_root(root.path());
    let source = root.path().to_str().unwrap().to_owned();
    let mux = Mux::new(tokio::net::UnixStream::from_std(ours).unwrap(), Side::Host);
    let bind = |name: &str| json!({ "destination": format!("/dev/{name}"), "type": "bind", "source": format!("/dev/{name}"), "options": ["bind"] });
    let devices = vec![
        json!({ "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"] }),
        bind("null"),
        bind("zero"),
        bind("tty"),
        bind("urandom"),
    ];
    let guest = Guest::new(
        Link::Mux(mux),
        Box::new(Agent { child, _root: root }),
        devices,
        env!("CARGO_BIN_EXE_vminitd"),
    )
    .await;
    guest.mount("none", &source, ROOT, &["rbind"]).await;
    Some(guest)
}

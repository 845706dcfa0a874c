//! The order of the launcher's steps, seen through a system that only records.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use libc::{c_int, c_ulong};
use oci_spec::runtime::Spec;
use serde_json::json;

use super::syscalls::{CapabilityMasks, Kind, MountCall, Node, Syscalls, Terminal};
use super::{Control, Error, Report, exec, run};

/// Writes down every call. Paths are directories unless `kinds` says otherwise; programs are not there
/// unless `programs` says why else they cannot run.
#[derive(Default)]
struct Recorder {
    calls: RefCell<Vec<String>>,
    kinds: HashMap<&'static str, Kind>,
    programs: HashMap<&'static str, i32>,
    refuses: Option<&'static str>,
}

impl Recorder {
    fn record(&self, call: String) -> io::Result<()> {
        let refused = self.refuses.is_some_and(|prefix| call.starts_with(prefix));
        self.calls.borrow_mut().push(call);
        if refused {
            Err(io::Error::from_raw_os_error(libc::EPERM))
        } else {
            Ok(())
        }
    }
}

fn describe(mount: &MountCall<'_>) -> String {
    const NAMES: [(&str, c_ulong); 8] = [
        ("ro", libc::MS_RDONLY),
        ("nosuid", libc::MS_NOSUID),
        ("nodev", libc::MS_NODEV),
        ("noexec", libc::MS_NOEXEC),
        ("remount", libc::MS_REMOUNT),
        ("bind", libc::MS_BIND),
        ("rec", libc::MS_REC),
        ("slave", libc::MS_SLAVE),
    ];
    let mut words: Vec<String> = Vec::new();
    words.extend(mount.fstype.map(str::to_owned));
    words.extend(mount.source.map(|source| format!("from={}", source.display())));
    words.extend(
        NAMES
            .iter()
            .filter(|(_, flag)| mount.flags & flag != 0)
            .map(|(name, _)| (*name).to_owned()),
    );
    words.extend(mount.data.map(|data| format!("data={data}")));
    words.join(" ")
}

impl Syscalls for Recorder {
    fn unshare(&self, namespaces: c_int) -> io::Result<()> {
        self.record(format!("unshare {namespaces:#x}"))
    }
    fn join(&self, _: BorrowedFd<'_>, namespaces: c_int) -> io::Result<()> {
        self.record(format!("join {namespaces:#x}"))
    }
    fn setsid(&self) -> io::Result<()> {
        self.record("setsid".into())
    }
    fn mount(&self, target: &Path, mount: &MountCall<'_>) -> io::Result<()> {
        self.record(format!("mount {} {}", target.display(), describe(mount)))
    }
    fn mount_below(&self, root: &Path, target: &Path, node: Node, mount: &MountCall<'_>) -> io::Result<()> {
        self.record(format!(
            "mount {}:{} {node:?} {}",
            root.display(),
            target.display(),
            describe(mount)
        ))
    }
    fn make_read_only(&self, mount: &Path, recursive: bool) -> io::Result<()> {
        self.record(format!("read-only {} {recursive}", mount.display()))
    }
    fn pivot_root(&self, root: &Path) -> io::Result<()> {
        self.record(format!("pivot_root {}", root.display()))
    }
    fn link_below(&self, _: &Path, link: &Path, target: &str) -> io::Result<()> {
        self.record(format!("link {} {target}", link.display()))
    }
    fn kind(&self, path: &Path) -> io::Result<Kind> {
        Ok(path
            .to_str()
            .and_then(|path| self.kinds.get(path).copied())
            .unwrap_or(Kind::Directory))
    }
    fn create_dir_all(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.record(format!("mkdir {} {mode:o}", path.display()))
    }
    fn create_file(&self, path: &Path) -> io::Result<()> {
        self.record(format!("create {}", path.display()))
    }
    fn write(&self, path: &Path, text: &str) -> io::Result<()> {
        self.record(format!("write {} {text}", path.display()))
    }
    fn chdir(&self, path: &Path) -> io::Result<()> {
        self.record(format!("chdir {}", path.display()))
    }
    fn sethostname(&self, name: &str) -> io::Result<()> {
        self.record(format!("sethostname {name}"))
    }
    fn setdomainname(&self, name: &str) -> io::Result<()> {
        self.record(format!("setdomainname {name}"))
    }
    fn open_terminal(&self, size: Option<(u16, u16)>) -> io::Result<Terminal> {
        self.record(format!("open_terminal {size:?}"))?;
        let null = || std::fs::File::open("/dev/null").map(OwnedFd::from);
        Ok(Terminal {
            master: null()?,
            slave: null()?,
            path: "/dev/pts/0".into(),
        })
    }
    fn attach_terminal(&self, _: OwnedFd) -> io::Result<()> {
        self.record("attach_terminal".into())
    }
    fn close_on_exec(&self, first: u32) -> io::Result<()> {
        self.record(format!("close_on_exec {first}"))
    }
    fn setrlimit(&self, resource: c_int, soft: u64, hard: u64) -> io::Result<()> {
        self.record(format!("setrlimit {resource} {soft} {hard}"))
    }
    fn limit_bounding_set(&self, keep: u64) -> io::Result<()> {
        self.record(format!("bounding {keep:#x}"))
    }
    fn keep_capabilities(&self, keep: bool) -> io::Result<()> {
        self.record(format!("keepcaps {keep}"))
    }
    fn chown_stdio(&self, uid: u32) -> io::Result<()> {
        self.record(format!("chown_stdio {uid}"))
    }
    fn setgroups(&self, groups: &[u32]) -> io::Result<()> {
        self.record(format!("setgroups {groups:?}"))
    }
    fn setgid(&self, gid: u32) -> io::Result<()> {
        self.record(format!("setgid {gid}"))
    }
    fn setuid(&self, uid: u32) -> io::Result<()> {
        self.record(format!("setuid {uid}"))
    }
    fn set_capabilities(&self, masks: CapabilityMasks) -> io::Result<()> {
        self.record(format!(
            "capset {:#x} {:#x} {:#x}",
            masks.effective, masks.permitted, masks.inheritable
        ))
    }
    fn set_ambient(&self, mask: u64) -> io::Result<()> {
        self.record(format!("ambient {mask:#x}"))
    }
    fn no_new_privileges(&self) -> io::Result<()> {
        self.record("no_new_privs".into())
    }
    fn umask(&self, mask: u32) {
        self.calls.borrow_mut().push(format!("umask {mask:o}"));
    }
    fn reset_signals(&self) -> io::Result<()> {
        self.record("reset_signals".into())
    }
    fn exec(&self, path: &CString, args: &[CString], env: &[CString]) -> io::Error {
        let (path, args) = (
            path.to_str().unwrap(),
            args.iter().map(|arg| arg.to_str().unwrap()).collect::<Vec<_>>(),
        );
        self.calls
            .borrow_mut()
            .push(format!("exec {path} {args:?} {env:?}"));
        io::Error::from_raw_os_error(self.programs.get(path).copied().unwrap_or(libc::ENOENT))
    }
}

fn spec() -> serde_json::Value {
    json!({
        "ociVersion": "1.1.0",
        "root": { "path": "/r", "readonly": true },
        "hostname": "box",
        "mounts": [
            { "destination": "/proc", "type": "proc", "source": "proc" },
            { "destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["nosuid", "noexec", "newinstance", "gid=5"] },
            { "destination": "/data", "type": "none", "source": "/run/virtiofs/x", "options": ["rbind", "ro"] },
            { "destination": "/etc/one", "type": "bind", "source": "/run/one", "options": ["bind"] },
        ],
        "process": {
            "terminal": true,
            "consoleSize": { "height": 24, "width": 80 },
            "user": { "uid": 1000, "gid": 100, "additionalGids": [100, 5] },
            "args": ["prog", "-x"],
            "env": ["PATH=/usr/bin::/bin", "A=b"],
            "cwd": "/work",
            "noNewPrivileges": true,
            "rlimits": [{ "type": "RLIMIT_NOFILE", "soft": 10, "hard": 20 }],
            "capabilities": { "bounding": ["CAP_CHOWN", "CAP_KILL"], "effective": ["CAP_CHOWN"], "permitted": ["CAP_CHOWN", "CAP_KILL"] },
        },
        "linux": {
            "namespaces": [{ "type": "pid" }, { "type": "cgroup" }, { "type": "mount" }],
            "sysctl": { "vm.overcommit_memory": "1", "net/ipv4/conf/eth0.1/rp_filter": "0" },
            "maskedPaths": ["/proc/kcore", "/sys/firmware", "/proc/gone"],
            "readonlyPaths": ["/proc/sys", "/proc/gone"],
        },
    })
}

fn parse(spec: serde_json::Value) -> Spec {
    serde_json::from_value(spec).unwrap()
}

fn recorder() -> Recorder {
    Recorder {
        kinds: HashMap::from([
            ("/run/one", Kind::Other),
            ("/proc/kcore", Kind::Other),
            ("/proc/gone", Kind::Missing),
            ("/dev/console", Kind::Missing),
            ("./prog", Kind::Missing),
            ("/bin/prog", Kind::Missing),
            ("/usr/bin/prog", Kind::Missing),
        ]),
        ..Recorder::default()
    }
}

#[test]
fn a_container_is_set_up_in_order() {
    let system = recorder();
    let (launcher, agent) = Control::pair().unwrap();
    let Err(error) = run(&system, &parse(spec()), &launcher);
    assert_eq!(error.to_string(), "failed to find target executable prog");
    let env = r#"["PATH=/usr/bin::/bin", "A=b"]"#;
    let expected = [
        "unshare 0x2000000",
        "setsid",
        "mount / rec slave",
        "mount /r from=/r bind rec",
        "mount /r:/proc Directory proc from=proc",
        "mount /r:/dev/pts Directory devpts from=devpts nosuid noexec data=newinstance,gid=5",
        "mount /r:/data Directory from=/run/virtiofs/x bind rec",
        "mount /r:/data Directory ro remount bind",
        "mount /r:/etc/one File from=/run/one bind",
        "link /dev/ptmx pts/ptmx",
        "link /dev/fd /proc/self/fd",
        "link /dev/stdin /proc/self/fd/0",
        "link /dev/stdout /proc/self/fd/1",
        "link /dev/stderr /proc/self/fd/2",
        "link /dev/rtc rtc0",
        "pivot_root /r",
        "read-only / false",
        "open_terminal Some((24, 80))",
        "create /dev/console",
        "mount /dev/console from=/dev/pts/0 bind",
        "attach_terminal",
        "sethostname box",
        "write /proc/sys/net/ipv4/conf/eth0.1/rp_filter 0",
        "write /proc/sys/vm/overcommit_memory 1",
        "mount /proc/kcore from=/dev/null bind",
        "mount /sys/firmware tmpfs from=tmpfs ro data=mode=555",
        "mount /proc/sys from=/proc/sys bind rec",
        "read-only /proc/sys true",
        "mkdir /work 755",
        "chdir /work",
        "close_on_exec 3",
        "setrlimit 7 10 20",
        "bounding 0x21",
        "keepcaps true",
        "chown_stdio 1000",
        "setgroups [100, 5]",
        "setgid 100",
        "setuid 1000",
        "keepcaps false",
        "capset 0x1 0x21 0x0",
        "ambient 0x0",
        "no_new_privs",
        "umask 22",
        "reset_signals",
        &format!(r#"exec /usr/bin/prog ["prog", "-x"] {env}"#),
        &format!(r#"exec ./prog ["prog", "-x"] {env}"#),
        &format!(r#"exec /bin/prog ["prog", "-x"] {env}"#),
    ];
    assert_eq!(*system.calls.borrow(), expected);
    assert!(matches!(agent.receive().unwrap(), Some(Report::Terminal(_))));
    assert!(matches!(agent.receive().unwrap(), Some(Report::Ready)));
}

#[test]
fn a_further_process_enters_the_container_and_mounts_nothing() {
    let system = recorder();
    let (launcher, _agent) = Control::pair().unwrap();
    let spec = parse(spec());
    let container = std::fs::File::open("/dev/null").unwrap();
    let Err(_) = exec(
        &system,
        spec.process().as_ref().unwrap(),
        container.as_fd(),
        &launcher,
    );
    let calls = system.calls.borrow();
    assert_eq!(
        calls[..4],
        [
            "join 0x6020000",
            "setsid",
            "open_terminal Some((24, 80))",
            "attach_terminal"
        ]
    );
    assert!(
        !calls
            .iter()
            .any(|call| call.starts_with("mount") || call.starts_with("unshare"))
    );
    assert!(calls.contains(&"setuid 1000".into()));
}

#[test]
fn without_terminal_and_namespaces_their_steps_are_left_out() {
    let system = recorder();
    let (launcher, _agent) = Control::pair().unwrap();
    let mut spec = spec();
    spec["process"]["terminal"] = json!(false);
    spec["linux"]["namespaces"] = json!([{ "type": "mount" }]);
    spec["root"]["readonly"] = json!(false);
    let Err(_) = run(&system, &parse(spec), &launcher);
    let calls = system.calls.borrow();
    assert_eq!(calls[0], "setsid");
    assert!(
        !calls
            .iter()
            .any(|call| call.contains("terminal") || call == "read-only / false")
    );
}

#[test]
fn programs_that_may_not_run_are_told_from_missing_ones() {
    let (launcher, _agent) = Control::pair().unwrap();
    let attempt = |programs: &[(&'static str, i32)], kinds: &[(&'static str, Kind)]| {
        let mut system = recorder();
        system.programs.extend(programs.iter().copied());
        system.kinds.extend(kinds.iter().copied());
        let Err(error) = run(&system, &parse(spec()), &launcher);
        (
            error,
            system
                .calls
                .take()
                .iter()
                .filter(|call| call.starts_with("exec"))
                .count(),
        )
    };
    // A place without permission does not end the search.
    let (error, attempts) = attempt(&[("/usr/bin/prog", libc::EACCES)], &[]);
    assert!(matches!(error, Error::Denied(path) if path == "/usr/bin/prog"));
    assert_eq!(attempts, 3);
    // A program that is there but has no interpreter does.
    let (error, attempts) = attempt(&[], &[("/usr/bin/prog", Kind::Other)]);
    assert!(
        error
            .to_string()
            .starts_with("failed to run /usr/bin/prog: No such file"),
        "{error}"
    );
    assert_eq!(attempts, 1);
    let (error, _) = attempt(&[("/usr/bin/prog", libc::ENOEXEC)], &[]);
    assert!(matches!(error, Error::Step { .. }));
}

#[test]
fn a_refused_step_is_named_and_nothing_follows() {
    let (launcher, _agent) = Control::pair().unwrap();
    let system = Recorder {
        refuses: Some("mount /r:/data"),
        ..recorder()
    };
    let Err(error) = run(&system, &parse(spec()), &launcher);
    assert_eq!(
        error.to_string(),
        "failed to mount /data: Operation not permitted (os error 1)"
    );
    assert!(
        system
            .calls
            .borrow()
            .last()
            .unwrap()
            .starts_with("mount /r:/data")
    );
}

#[test]
fn a_path_with_slashes_is_taken_literally() {
    let (launcher, _agent) = Control::pair().unwrap();
    let system = recorder();
    let mut spec = spec();
    spec["process"]["args"] = json!(["/opt/tool"]);
    let Err(_) = run(&system, &parse(spec), &launcher);
    let calls = system.calls.borrow();
    assert_eq!(calls.iter().filter(|call| call.starts_with("exec")).count(), 1);
    assert!(calls.last().unwrap().starts_with("exec /opt/tool"));
}

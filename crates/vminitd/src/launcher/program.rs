//! The last steps, which the first process of a container and every further one share: who the process
//! is, and what it runs.

use std::convert::Infallible;
use std::ffi::CString;
use std::io;
use std::path::Path;

use libc::c_int;
use oci_spec::runtime::{PosixRlimitType, Process};

use super::capabilities::Capabilities;
use super::control::Control;
use super::error::Step;
use super::syscalls::{Kind, Syscalls};
use super::{DEFAULT_PATH, Error};

/// Becomes the process (behaviour.md 29.4). Returns only to say why not.
pub(super) fn become_process(
    sys: &impl Syscalls,
    process: &Process,
    control: &Control,
) -> Result<Infallible, Error> {
    let program = Program::new(process)?;
    let cwd = process.cwd();
    sys.create_dir_all(cwd, 0o755)
        .step(|| format!("make {}", cwd.display()))?;
    sys.chdir(cwd).step(|| format!("change to {}", cwd.display()))?;
    sys.close_on_exec(3).step(|| "mark descriptors".into())?;
    for limit in process.rlimits().iter().flatten() {
        let what = || format!("set {}", limit.typ());
        sys.setrlimit(resource(limit.typ()), limit.soft(), limit.hard())
            .step(what)?;
    }
    if let Some(score) = process.oom_score_adj() {
        let path = Path::new("/proc/self/oom_score_adj");
        sys.write(path, &score.to_string())
            .step(|| "set the OOM score".into())?;
    }
    credentials(sys, process)?;
    sys.umask(process.user().umask().unwrap_or(0o022));
    sys.reset_signals().step(|| "reset signals".into())?;
    control.ready().step(|| "report to the agent".into())?;
    Err(program.exec(sys))
}

fn credentials(sys: &impl Syscalls, process: &Process) -> Result<(), Error> {
    let user = process.user();
    let capabilities = process
        .capabilities()
        .as_ref()
        .map(Capabilities::from)
        .unwrap_or_default();
    sys.limit_bounding_set(capabilities.bounding)
        .step(|| "limit capabilities".into())?;
    sys.keep_capabilities(true).step(|| "keep capabilities".into())?;
    sys.chown_stdio(user.uid())
        .step(|| "change the owner of standard input and output".into())?;
    let groups = user.additional_gids().as_deref().unwrap_or_default();
    sys.setgroups(groups).step(|| "set supplementary groups".into())?;
    sys.setgid(user.gid())
        .step(|| format!("set group id {}", user.gid()))?;
    sys.setuid(user.uid())
        .step(|| format!("set user id {}", user.uid()))?;
    sys.keep_capabilities(false).step(|| "keep capabilities".into())?;
    sys.set_capabilities(capabilities.masks)
        .step(|| "set capabilities".into())?;
    sys.set_ambient(capabilities.ambient)
        .step(|| "set ambient capabilities".into())?;
    if process.no_new_privileges() == Some(true) {
        sys.no_new_privileges().step(|| "give up new privileges".into())?;
    }
    Ok(())
}

/// What is run.
struct Program {
    name: String,
    path: String,
    args: Vec<CString>,
    env: Vec<CString>,
}

impl Program {
    fn new(process: &Process) -> Result<Self, Error> {
        let strings = |list: &Option<Vec<String>>| -> Result<Vec<CString>, Error> {
            let nul = |_| Error::Configuration("arguments and environment cannot hold NUL".into());
            list.iter()
                .flatten()
                .map(|text| CString::new(text.as_str()).map_err(nul))
                .collect()
        };
        let name = process
            .args()
            .iter()
            .flatten()
            .next()
            .cloned()
            .unwrap_or_default();
        if name.is_empty() {
            return Err(Error::Configuration("process has no program".into()));
        }
        let path = process
            .env()
            .iter()
            .flatten()
            .find_map(|variable| variable.strip_prefix("PATH="));
        Ok(Self {
            path: path.unwrap_or(DEFAULT_PATH).to_owned(),
            args: strings(process.args())?,
            env: strings(process.env())?,
            name,
        })
    }

    /// Tries the places where the program may be, as a shell does.
    fn exec(&self, sys: &impl Syscalls) -> Error {
        if self.name.contains('/') {
            return self
                .attempt(sys, &self.name)
                .unwrap_or_else(|| Error::NotFound(self.name.clone()));
        }
        let mut denied = None;
        for directory in self.path.split(':') {
            let directory = if directory.is_empty() { "." } else { directory };
            match self.attempt(sys, &format!("{directory}/{}", self.name)) {
                None => {}
                Some(error @ Error::Denied(_)) => denied = Some(error),
                Some(error) => return error,
            }
        }
        denied.unwrap_or_else(|| Error::NotFound(self.name.clone()))
    }

    /// Why this place does not have the program; `None` when there is nothing at all.
    fn attempt(&self, sys: &impl Syscalls, path: &str) -> Option<Error> {
        let Ok(c_path) = CString::new(path) else {
            return None;
        };
        let error = sys.exec(&c_path, &self.args, &self.env);
        match error.kind() {
            io::ErrorKind::PermissionDenied => Some(Error::Denied(path.to_owned())),
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                // A program whose interpreter is missing is reported in the same way.
                if matches!(sys.kind(Path::new(path)), Ok(Kind::Missing)) => None,
            _ => Some(Error::Step { what: format!("run {path}"), source: error }),
        }
    }
}

fn resource(kind: PosixRlimitType) -> c_int {
    let resource = match kind {
        PosixRlimitType::RlimitCpu => libc::RLIMIT_CPU,
        PosixRlimitType::RlimitFsize => libc::RLIMIT_FSIZE,
        PosixRlimitType::RlimitData => libc::RLIMIT_DATA,
        PosixRlimitType::RlimitStack => libc::RLIMIT_STACK,
        PosixRlimitType::RlimitCore => libc::RLIMIT_CORE,
        PosixRlimitType::RlimitRss => libc::RLIMIT_RSS,
        PosixRlimitType::RlimitNproc => libc::RLIMIT_NPROC,
        PosixRlimitType::RlimitNofile => libc::RLIMIT_NOFILE,
        PosixRlimitType::RlimitMemlock => libc::RLIMIT_MEMLOCK,
        PosixRlimitType::RlimitAs => libc::RLIMIT_AS,
        PosixRlimitType::RlimitLocks => libc::RLIMIT_LOCKS,
        PosixRlimitType::RlimitSigpending => libc::RLIMIT_SIGPENDING,
        PosixRlimitType::RlimitMsgqueue => libc::RLIMIT_MSGQUEUE,
        PosixRlimitType::RlimitNice => libc::RLIMIT_NICE,
        PosixRlimitType::RlimitRtprio => libc::RLIMIT_RTPRIO,
        PosixRlimitType::RlimitRttime => libc::RLIMIT_RTTIME,
    };
    resource as c_int
}

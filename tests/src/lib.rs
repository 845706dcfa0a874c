//! An installation of its own for one end-to-end test.
//!
//! [`System::start`] makes a scratch home directory, starts the services in it and installs kernel, init image and a
//! `busybox` image. Dropping it stops everything and fails the test when anything is left over.

mod archive;
mod debian;
mod golden;
mod leftovers;
mod programs;
pub mod registry;
mod terminal;

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub use archive::write_known_image;
pub use debian::DEBIAN;
pub use golden::assert_golden;
pub use programs::{artifact, program, static_program};
pub use terminal::Terminal;

/// How long any single command may take before the test fails.
const COMMAND_LIMIT: Duration = Duration::from_secs(120);

/// A running installation in a scratch home directory.
#[derive(Debug)]
pub struct System {
    home: TempDir,
    stopped: bool,
    /// The user that commands run as, where that is another one than the test's.
    user: Option<u32>,
}

/// What a command printed and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The exit status; 128 + signal for a signalled command, as a shell shows it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl System {
    /// A home directory in which nothing was ever started.
    pub fn unstarted() -> Self {
        let home = tempfile::Builder::new()
            .prefix("ct-")
            .tempdir()
            .expect("a scratch home directory");
        Self {
            home,
            stopped: true,
            user: None,
        }
    }

    /// A started system with a kernel, the init image and `busybox:latest`.
    pub fn start() -> Self {
        Self::configured("")
    }

    /// The same for an ordinary user: nobody of this host, if root runs the test.
    pub fn start_as_user() -> Self {
        Self::configured_as_user("")
    }

    /// The same with a configuration file of the user.
    pub fn configured_as_user(configuration: &str) -> Self {
        // Above what systems hand out, and another one than virtual machines run as.
        const USER: u32 = 0x6000_0000;
        let mut system = Self::unstarted();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(system.home(), Some(USER), Some(USER)).expect("a home directory");
            system.user = Some(USER);
        }
        system.configure(configuration);
        system.boot();
        system.install();
        system
    }

    /// The same for a user who is nobody else: in a user namespace in which only this user exists, as root.
    pub fn start_in_user_namespace() -> Self {
        Self::start_within(&["--user", "--map-root-user", "--", "env"])
    }

    /// The same, with volumes on a file system of a limited size such as `24m`, which only the services see.
    pub fn start_with_small_volumes(size: &str) -> Self {
        let script = format!(
            "volumes=$HOME/.local/share/container/volumes; mkdir -p $volumes && \
             mount -t tmpfs -o size={size} small $volumes && exec \"$@\""
        );
        Self::start_within(&[
            "--user",
            "--map-root-user",
            "--mount",
            "--",
            "sh",
            "-c",
            &script,
            "sh",
        ])
    }

    /// Starts the services by `unshare` with these arguments before the command line.
    fn start_within(arguments: &[&str]) -> Self {
        let mut system = Self::unstarted();
        system.stopped = false;
        let start = system.command(["system", "start", "--disable-kernel-install"]);
        let mut command = Command::new("unshare");
        command
            .args(arguments)
            .arg(start.get_program())
            .args(start.get_args())
            .env_clear()
            .envs(start.get_envs().filter_map(|(key, value)| Some((key, value?))))
            .current_dir(system.home());
        let finished = finish(command, b"");
        assert_eq!(finished.code, 0, "{finished:?}\n{}", system.logs());
        system.install();
        system
    }

    /// The same with a configuration file of the user.
    pub fn configured(configuration: &str) -> Self {
        let mut system = Self::unstarted();
        system.configure(configuration);
        system.boot();
        system.install();
        system
    }

    /// Writes a configuration file, which its user can read.
    fn configure(&self, configuration: &str) {
        let directories = [".config", ".config/container"].map(|path| self.home().join(path));
        let file = directories[1].join("config.toml");
        for directory in &directories {
            std::fs::create_dir(directory).expect("a directory");
        }
        std::fs::write(&file, configuration).expect("a configuration file");
        for path in directories.iter().chain([&file]) {
            std::os::unix::fs::chown(path, self.user, self.user).expect("a file of the user");
        }
    }

    /// Installs kernel and images.
    fn install(&self) {
        let kernel = artifact("CONTAINER_TEST_KERNEL");
        self.ok([
            "system",
            "kernel",
            "set",
            "--binary",
            kernel.to_str().expect("UTF-8"),
        ]);
        for image in ["CONTAINER_TEST_INIT_IMAGE", "CONTAINER_TEST_BUSYBOX"] {
            self.ok(["image", "load", "-i", artifact(image).to_str().expect("UTF-8")]);
        }
    }

    /// Starts the services.
    pub fn boot(&mut self) {
        self.boot_with(&[]);
    }

    /// Starts the services with these variables in the environment.
    pub fn boot_with(&mut self, variables: &[(&str, &str)]) {
        self.stopped = false;
        let mut command = self.command(["system", "start", "--disable-kernel-install"]);
        command.envs(variables.iter().copied());
        let finished = finish(command, b"");
        assert_eq!(finished.code, 0, "{finished:?}\n{}", self.logs());
    }

    /// Stops the services.
    pub fn stop(&mut self) {
        self.ok(["system", "stop"]);
        self.stopped = true;
    }

    /// The scratch home directory.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The application root.
    pub fn app_root(&self) -> PathBuf {
        self.home().join(".local/share/container")
    }

    /// The bundle of a container.
    pub fn bundle(&self, id: &str) -> PathBuf {
        self.app_root().join("containers").join(id)
    }

    /// A `container` command in this installation, not started yet, with nothing of the caller's environment.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let program = program("container");
        let mut command = match self.user {
            None => Command::new(program),
            Some(user) => {
                let mut command = Command::new("setpriv");
                let user = user.to_string();
                command
                    .args(["--reuid", &user, "--regid", &user, "--clear-groups", "--"])
                    .arg(program);
                command
            }
        };
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.home())
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            )
            .current_dir(self.home())
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Finished {
        finish(self.command(arguments), b"")
    }

    /// Runs a command with `input` as its standard input.
    pub fn run_with_input<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
        input: &[u8],
    ) -> Finished {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped());
        finish(command, input)
    }

    /// Runs a command that must succeed, and returns its output without the last newline.
    #[track_caller]
    pub fn ok<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> String {
        let command = self.command(arguments);
        let line = format!("{command:?}");
        let finished = finish(command, b"");
        assert_eq!(finished.code, 0, "{line}\n{finished:?}\n{}", self.logs());
        finished.stdout.trim_end_matches('\n').to_owned()
    }

    /// Runs a command that must fail, and returns what it printed.
    #[track_caller]
    pub fn fails<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Finished {
        let command = self.command(arguments);
        let line = format!("{command:?}");
        let finished = finish(command, b"");
        assert_ne!(finished.code, 0, "{line} succeeded: {finished:?}");
        finished
    }

    /// The output of an `inspect` of one thing, parsed.
    #[track_caller]
    pub fn inspect(&self, id: &str) -> serde_json::Value {
        let text = self.ok(["inspect", id]);
        let mut list: Vec<serde_json::Value> = serde_json::from_str(&text).expect("inspect prints JSON");
        list.pop().expect("inspect prints one element")
    }

    /// What a network is, as `network inspect` shows it.
    #[track_caller]
    pub fn network(&self, name: &str) -> serde_json::Value {
        let text = self.ok(["network", "inspect", name]);
        let mut list: Vec<serde_json::Value> = serde_json::from_str(&text).expect("inspect prints JSON");
        list.pop().expect("inspect prints one element")
    }

    /// The IPv4 address of a running container on its first network.
    #[track_caller]
    pub fn address(&self, id: &str) -> String {
        let container = self.inspect(id);
        let address = container["status"]["networks"][0]["ipv4Address"].as_str();
        let address = address.unwrap_or_else(|| panic!("{id} has no address: {container}"));
        address.split('/').next().unwrap_or_default().to_owned()
    }

    /// The state of a container, as `inspect` shows it.
    #[track_caller]
    pub fn state(&self, id: &str) -> String {
        self.inspect(id)["status"]["state"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// The process ids of this installation's processes whose command line has `part`.
    pub fn processes(&self, part: &str) -> Vec<i32> {
        leftovers::processes(self.home())
            .into_iter()
            .filter(|(_, line)| line.contains(part))
            .map(|(id, _)| id)
            .collect()
    }

    /// What the services logged, for a failing test's message.
    pub fn logs(&self) -> String {
        leftovers::logs(self.home())
    }
}

impl Drop for System {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
        if !self.stopped {
            let stopped = self.run(["system", "stop"]);
            if !std::thread::panicking() {
                assert_eq!(stopped.code, 0, "{stopped:?}");
            }
        }
        let left = leftovers::processes(self.home());
        leftovers::kill(&left);
        if !std::thread::panicking() {
            assert!(left.is_empty(), "processes left over: {left:?}");
        }
    }
}

/// Runs a command with a limit, collecting what it prints.
pub fn finish(mut command: Command, input: &[u8]) -> Finished {
    let line = format!("{command:?}");
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{line}: {error}"));
    if let Some(mut stdin) = child.stdin.take() {
        // A command that fails early does not read its input.
        let _ = stdin.write_all(input);
    }
    let id = i32::try_from(child.id()).unwrap_or(-1);
    let (done, finished) = std::sync::mpsc::channel();
    let waiting = std::thread::spawn(move || {
        let output = child.wait_with_output();
        let _ = done.send(());
        output
    });
    if finished.recv_timeout(COMMAND_LIMIT).is_err() {
        leftovers::kill(&[(id, line.clone())]);
        panic!("{line} did not end within {COMMAND_LIMIT:?}");
    }
    let output = waiting
        .join()
        .expect("the waiting thread")
        .expect("the command's output");
    Finished {
        code: code(output.status),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The exit status as a shell shows it.
pub fn code(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;

    status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(-1)
}

/// Waits for a child, at most `limit`.
#[track_caller]
pub fn wait_at_most(child: &mut Child, limit: Duration) -> i32 {
    let mut status = None;
    eventually(limit, "the command to end", || {
        status = child.try_wait().expect("a child of this test");
        status.is_some()
    });
    code(status.expect("just checked"))
}

/// Waits until `condition` holds, at most `limit`.
#[track_caller]
pub fn eventually(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < end, "waited {limit:?} for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Sends a signal to a process by way of `kill(1)`.
#[track_caller]
pub fn signal(name: &str, process: i32) {
    let sent = Command::new("kill")
        .arg(format!("-{name}"))
        .arg(process.to_string())
        .status();
    assert!(
        sent.is_ok_and(|status| status.success()),
        "kill -{name} {process}"
    );
}

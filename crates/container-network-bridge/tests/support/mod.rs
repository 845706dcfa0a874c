//! A network's helper as a process, and guests on its network.
#![allow(dead_code, unreachable_pub, reason = "every test binary uses another part")]

use std::future::Future;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use container_client::network::{AllocateRequest, Lease, NetworkClient};
use container_client::services;
use container_ipc::{ensure_private_dir, runtime_dir};
use rustix::process::Signal;

/// Far longer than any step takes, so that only a hang reaches it.
pub const SOON: Duration = Duration::from_secs(20);

/// The network of the tests of this process: tests run in processes of their own at the same time.
pub fn subnets() -> (String, String) {
    nth_subnets(0)
}

fn nth_subnets(nth: u32) -> (String, String) {
    let number = std::process::id() + nth * 7919;
    let ipv4 = format!("10.{}.{}.0/24", 200 + number / 256 % 50, number % 256);
    (
        ipv4,
        format!("fd77:{:x}:{:x}:1::/64", number / 65536, number % 65536),
    )
}

/// An application root with the helper of one network.
pub struct Helper {
    pub root: PathBuf,
    _directory: tempfile::TempDir,
    mode: &'static str,
    nth: u32,
    wrapper: Vec<String>,
    process: Option<Child>,
}

impl Helper {
    pub fn new(mode: &'static str) -> Self {
        Self::nth(mode, 0)
    }

    /// One of several networks of a test.
    pub fn nth(mode: &'static str, nth: u32) -> Self {
        let mut helper = Self::prepare(mode, nth);
        helper.start();
        helper
    }

    /// A helper that is started after `script`, as a user who is root in a user namespace and may mount.
    pub fn after(script: &str, mode: &'static str) -> Self {
        let mut helper = Self::prepare(mode, 0);
        let script = format!("{script} && exec \"$@\"");
        let words = ["unshare", "-rm", "--", "sh", "-c", &script, "sh"];
        helper.wrapper = words.map(str::to_owned).to_vec();
        helper.start();
        helper
    }

    fn prepare(mode: &'static str, nth: u32) -> Self {
        // Short, so that sockets are in the root.
        let directory = tempfile::Builder::new().prefix("cn").tempdir_in("/tmp").unwrap();
        let root = directory.path().to_owned();
        std::fs::create_dir_all(root.join("networks/n")).unwrap();
        ensure_private_dir(&runtime_dir(&root)).unwrap();
        Self {
            root,
            _directory: directory,
            mode,
            nth,
            wrapper: Vec::new(),
            process: None,
        }
    }

    pub fn start(&mut self) {
        let (ipv4, ipv6) = nth_subnets(self.nth);
        let mut words = self.wrapper.clone();
        words.push(env!("CARGO_BIN_EXE_container-network-bridge").to_owned());
        let child = Command::new(&words[0])
            .args(&words[1..])
            .args(["start", "--id", "n", "--mode", self.mode, "--domain", "test"])
            .args(["--subnet", &ipv4, "--subnet-v6", &ipv6])
            .env("CONTAINER_APP_ROOT", &self.root)
            .spawn();
        self.process = Some(child.unwrap());
    }

    /// Ends the helper as the system does when it shuts down.
    pub async fn terminate(mut self) {
        let mut process = self.process.take().unwrap();
        signal(process.id(), Signal::TERM);
        let status = eventually(async || process.try_wait().unwrap()).await;
        assert!(status.success(), "{status}");
        assert_eq!(pids_of(&[self.root.to_str().unwrap()]), Vec::<u32>::new());
    }

    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    pub async fn client(&self) -> NetworkClient {
        let directory = runtime_dir(&self.root);
        eventually(async || {
            NetworkClient::connect(&directory, services::NETWORK_PROGRAM, "n")
                .await
                .ok()
        })
        .await
    }

    /// The holder's process.
    pub fn holder(&self) -> Option<u32> {
        pids_of(&["hold", self.root.to_str()?]).first().copied()
    }

    /// Shuts the network down and waits for the helper to end.
    pub async fn shut_down(mut self) {
        self.client().await.shutdown().await.unwrap();
        let mut process = self.process.take().unwrap();
        eventually(async || process.try_wait().unwrap()).await;
        assert_eq!(pids_of(&[self.root.to_str().unwrap()]), Vec::<u32>::new());
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.kill();
        for pid in pids_of(&[self.root.to_str().unwrap_or("?")]) {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
        }
    }
}

/// Processes whose command line has all of `words` in it.
pub fn pids_of(words: &[&str]) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        *pid != std::process::id() && words.iter().all(|word| line.contains(word))
    })
    .collect()
}

/// What `try_it` gives once it gives something.
pub async fn eventually<T>(mut try_it: impl AsyncFnMut() -> Option<T>) -> T {
    let trying = async {
        loop {
            if let Some(value) = try_it().await {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SOON, trying)
        .await
        .expect("it never happened")
}

pub fn ask(hostname: &str) -> AllocateRequest {
    AllocateRequest {
        hostname: hostname.to_owned(),
        ..AllocateRequest::default()
    }
}

/// A machine on the network.
pub struct Guest(Child);

impl Guest {
    pub fn start(lease: Lease) -> Self {
        let a = &lease.attachment;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/guest.py");
        let gateway6 = a.ipv6_address.as_ref().map(|address| {
            let prefix = address.split("::").next().unwrap_or_default().split(':').take(4);
            format!("{}::1", prefix.collect::<Vec<_>>().join(":"))
        });
        let mut command = Command::new("unshare");
        command.args(if root() {
            ["-n", "--"].as_slice()
        } else {
            &["-rn", "--"]
        });
        command.arg("python3").arg(script);
        command.args([
            a.mac_address.as_deref().unwrap(),
            &a.mtu.unwrap_or(1280).to_string(),
        ]);
        command.args([&a.ipv4_address, &a.ipv4_gateway]);
        command.args([a.ipv6_address.as_ref().unwrap(), gateway6.as_ref().unwrap()]);
        let mut child = command
            .stdin(Stdio::from(lease.device.expect("a tap device")))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, "ready\n");
        Self(child)
    }

    /// A command on the machine.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.0.id().to_string(), "-n"]);
        if !root() {
            command.args(["-U", "--preserve-credentials"]);
        }
        command.arg("--").args(words).stdin(Stdio::null());
        command
    }

    /// Runs a command on the machine.
    pub fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// What a service says.
    pub fn get(&self, host: &str, port: u16) -> String {
        self.ok(&[
            "curl",
            "-sS",
            "-g",
            "--max-time",
            "10",
            &format!("http://{host}:{port}/"),
        ])
    }

    /// What a command prints that must succeed.
    pub fn ok(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{words:?}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Runs an asynchronous test.
pub fn test(body: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(body);
}

/// Runs the asynchronous test `name`: as root and as an ordinary user where root runs the tests, else as that user.
pub fn test_as_both(name: &str, body: impl Future<Output = ()>) {
    test(body);
    if root() {
        test_as_user(name, std::future::ready(()));
    }
}

/// Runs the asynchronous test `name` as an ordinary user.
pub fn test_as_user(name: &str, body: impl Future<Output = ()>) {
    if !root() {
        return test(body);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
    command
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"]);
    command
        .env("HOME", "/tmp")
        .env_remove("XDG_RUNTIME_DIR")
        .current_dir("/");
    assert!(command.status().unwrap().success(), "{name} as an ordinary user");
}

/// A service on the host that answers every connection with `hello`; its port.
pub fn hello(address: &str) -> u16 {
    let listener = std::net::TcpListener::bind((address, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nhello");
        }
    });
    port
}

/// What a command prints in the network namespace of the process `pid`.
pub fn in_namespace_of(pid: u32, words: &[&str]) -> String {
    let mut command = Command::new("nsenter");
    command.args(["-t", &pid.to_string(), "-n"]);
    if !root() {
        command.args(["-U", "--preserve-credentials"]);
    }
    let output = command.arg("--").args(words).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The interfaces in the network namespace of the process `pid`.
pub fn interfaces_of(pid: u32) -> Vec<String> {
    let table = std::fs::read_to_string(format!("/proc/{pid}/net/dev")).unwrap();
    let lines = table.lines().skip(2);
    lines
        .filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned()))
        .collect()
}

/// Kills a process as nothing else would.
pub fn kill(pid: u32) {
    signal(pid, Signal::KILL);
}

fn signal(pid: u32, signal: Signal) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

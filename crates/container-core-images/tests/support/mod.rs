//! The service as a process, and a registry for it to pull from.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use container_client::ImagesClient;
use container_client::images::{Fetch, Scheme};

/// How these tests pull.
pub(crate) const HOW: Fetch<'static> = Fetch {
    default_domain: "docker.io",
    dns_domain: None,
    scheme: Scheme::Auto,
    max_concurrent_downloads: 3,
};

/// A process that is killed when the test is done with it.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a program that has to succeed.
pub(crate) fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| {
            panic!("{program} is needed by this test: {error}");
        });
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The image service of an application root.
pub(crate) fn start(app_root: &Path) -> Process {
    let process = Command::new(env!("CARGO_BIN_EXE_container-core-images"))
        .args(["start", "--debug"])
        .env("CONTAINER_APP_ROOT", app_root)
        .spawn();
    Process(process.unwrap())
}

/// Connects to the service as soon as it listens.
pub(crate) async fn connect(app_root: &Path) -> ImagesClient {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match ImagesClient::connect(&container_ipc::runtime_dir(app_root)).await {
            Ok(client) => return client,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Debian's registry with its data below `dir`, and its host.
pub(crate) fn registry(dir: &Path) -> (Process, String) {
    let host = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let config = format!(
        "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n\
         storage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: \"{host}\"}}\n",
        dir.join("registry").display()
    );
    let path = dir.join("registry.yml");
    fs::write(&path, config).unwrap();
    let process = Command::new("docker-registry")
        .arg("serve")
        .arg(path)
        .stderr(Stdio::null())
        .spawn();
    let process = Process(process.expect("docker-registry is needed by this test"));
    let deadline = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(&host).is_err() {
        assert!(Instant::now() < deadline, "docker-registry does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    (process, host)
}

/// Copies an image with skopeo, whose names for places these are.
pub(crate) fn skopeo_copy(from: &str, to: &str) {
    let arguments = [
        "copy",
        "--insecure-policy",
        "-q",
        "--dest-tls-verify=false",
        from,
        to,
    ];
    run("skopeo", &arguments);
}

/// A file's worth of bytes that do not compress.
pub(crate) fn noise(seed: u32, size: usize) -> Vec<u8> {
    let mut state = seed;
    let bytes = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    bytes.take(size).collect()
}

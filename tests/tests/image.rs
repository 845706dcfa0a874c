//! `container image`: from a registry to a running container, with real peers.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use container_tests::{System, artifact, eventually};

/// Debian's docker-registry on a free loopback port.
struct Registry {
    process: Child,
    port: u16,
}

impl Registry {
    fn start(system: &System) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|socket| socket.local_addr())
            .expect("a port")
            .port();
        let storage = system.home().join("registry");
        let config = system.home().join("registry.yml");
        let text = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:{port}\n",
            storage.display()
        );
        std::fs::write(&config, text).expect("the registry's configuration");
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("docker-registry");
        let registry = Self { process, port };
        eventually(Duration::from_secs(20), "the registry", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        registry
    }

    fn reference(&self, name: &str) -> String {
        format!("127.0.0.1:{}/{name}", self.port)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn skopeo(arguments: &[&str]) {
    let output = Command::new("skopeo")
        .args(["--insecure-policy"])
        .args(arguments)
        .output()
        .expect("skopeo");
    assert!(output.status.success(), "skopeo {arguments:?}: {output:?}");
}

#[test]
fn pulls_from_a_registry_and_runs() {
    let system = System::start();
    let registry = Registry::start(&system);
    let reference = registry.reference("team/tool:1.0");
    let archive = format!("oci-archive:{}", artifact("CONTAINER_TEST_BUSYBOX").display());
    skopeo(&[
        "copy",
        "-q",
        "--dest-tls-verify=false",
        &archive,
        &format!("docker://{reference}"),
    ]);
    assert_eq!(system.ok(["image", "pull", &reference]), "");
    assert_eq!(system.ok(["run", "--rm", &reference, "echo", "pulled"]), "pulled");
    // A name that is not there yet is pulled by `run` itself, here under another tag.
    let second = registry.reference("team/tool:2.0");
    skopeo(&[
        "copy",
        "-q",
        "--dest-tls-verify=false",
        &archive,
        &format!("docker://{second}"),
    ]);
    assert_eq!(system.ok(["run", "--rm", &second, "echo", "again"]), "again");
    let list = system.ok(["image", "list", "-q"]);
    assert!(list.contains(&reference) && list.contains(&second), "{list}");
    system.ok(["image", "delete", &second]);
    assert!(!system.ok(["image", "list", "-q"]).contains(&second));
    let missing = system.fails(["image", "pull", &registry.reference("team/nothing")]);
    assert_eq!(
        (
            missing.code,
            missing
                .stderr
                .lines()
                .filter(|line| line.starts_with("Error: "))
                .count()
        ),
        (1, 1)
    );
}

#[test]
fn loads_what_skopeo_saves_as_docker() {
    let system = System::start();
    let archive = format!("oci-archive:{}", artifact("CONTAINER_TEST_BUSYBOX").display());
    let docker = system.home().join("docker.tar");
    skopeo(&[
        "copy",
        "-q",
        &archive,
        &format!("docker-archive:{}:example.com/from/docker:7", docker.display()),
    ]);
    let loaded = system.ok(["image", "load", "-i", docker.to_str().expect("UTF-8")]);
    assert_eq!(loaded, "example.com/from/docker:7");
    assert_eq!(
        system.ok(["run", "--rm", "example.com/from/docker:7", "echo", "docker"]),
        "docker"
    );
    let unknown = system.fails(["image", "load", "-i", "/no/such/file"]);
    assert_eq!(unknown.code, 1);
    assert!(unknown.stderr.contains("file does not exist"), "{unknown:?}");
}

//! `container image`: from a registry to a running container, with real peers.

use std::process::Command;

use container_tests::registry::Registry;
use container_tests::{System, artifact};

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
    let registry = Registry::open(system.home());
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
    assert_eq!(
        system.ok([
            "run",
            "--rm",
            "--max-concurrent-downloads",
            "1",
            &second,
            "echo",
            "again"
        ]),
        "again"
    );
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

//! What every Mac boots: the kernel, the agent and containers of arm64, here under emulation (`make test-arm64`).

use std::time::{Duration, Instant};

use container_tests::{System, artifact};

/// A system whose kernel, init image and busybox are those of arm64.
fn start() -> System {
    let system = System::start();
    let path = |variable| artifact(variable).to_str().expect("UTF-8").to_owned();
    let kernel = path("CONTAINER_TEST_ARM64_KERNEL");
    system.ok(["system", "kernel", "set", "--arch", "arm64", "--binary", &kernel]);
    for image in ["CONTAINER_TEST_ARM64_INIT_IMAGE", "CONTAINER_TEST_ARM64_BUSYBOX"] {
        system.ok(["image", "load", "-i", &path(image)]);
    }
    system
}

#[test]
#[ignore = "takes another architecture's kernel and images: make test-arm64"]
fn containers_of_another_architecture_run_in_a_machine_of_it() {
    let mut system = start();
    let begun = Instant::now();
    let script = "uname -m; nproc; id -u; cat /etc/hostname; echo err >&2; exit 7";
    let run = [
        "run",
        "--rm",
        "--progress",
        "none",
        "--arch",
        "arm64",
        "--cpus",
        "2",
        "--name",
        "one",
        "busybox",
        "sh",
        "-c",
        script,
    ];
    let finished = system.run(run);
    assert_eq!(
        (finished.code, finished.stdout.as_str(), finished.stderr.as_str()),
        (7, "aarch64\n2\n0\none\n", "err\n")
    );
    eprintln!("run on arm64: {:.1} s", begun.elapsed().as_secs_f32());
    assert!(begun.elapsed() < Duration::from_secs(60));

    // A machine that stays, with what a container is used for.
    system.ok(["volume", "create", "data"]);
    let volume = ["-v", "data:/data"];
    let run = [
        "run",
        "-d",
        "--progress",
        "none",
        "--arch",
        "arm64",
        "--name",
        "two",
    ];
    system.ok(run.iter().chain(&volume).chain(&["busybox", "sleep", "1000"]));
    let exec = |script: &str| system.ok(["exec", "two", "sh", "-c", script]);
    assert_eq!(
        exec("echo kept > /kept; echo data > /data/x; sync; uname -m"),
        "aarch64"
    );
    assert!(exec("cat /proc/net/route").contains("eth0"));
    system.ok(["stop", "-t", "1", "two"]);
    system.ok(["start", "two"]);
    assert_eq!(exec("cat /kept /data/x"), "kept\ndata");
    system.ok(["delete", "--force", "two"]);
    system.stop();
}

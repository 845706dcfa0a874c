//! `container run`: a virtual machine per container, from image to exit code.

use container_tests::System;

#[test]
fn runs_a_command_and_returns_its_output_and_code() {
    let system = System::start();
    assert_eq!(system.ok(["run", "--rm", "busybox", "echo", "hello"]), "hello");
    let failed = system.run([
        "run",
        "--rm",
        "busybox",
        "sh",
        "-c",
        "echo out; echo err >&2; exit 7",
    ]);
    assert_eq!((failed.code, failed.stdout.as_str()), (7, "out\n"));
    assert!(failed.stderr.contains("err\n"), "{failed:?}");
    let killed = system.run(["run", "--rm", "busybox", "sh", "-c", "kill -KILL $$"]);
    // Process 1 of a namespace is immune to its own signals, so the shell's loop ends some other way.
    assert_ne!(killed.code, 137, "{killed:?}");
    assert_eq!(system.ok(["list", "-a", "-q"]), "");
}

#[test]
fn passes_environment_directory_user_and_input() {
    let system = System::start();
    let script = "echo $GREETING; pwd; id -u; id -g; cat";
    let arguments = [
        "run",
        "--rm",
        "-i",
        "-e",
        "GREETING=hi",
        "-w",
        "/made/up",
        "-u",
        "1000:1001",
        "busybox",
        "sh",
        "-c",
        script,
    ];
    let finished = system.run_with_input(arguments, b"from outside\n");
    assert_eq!(
        finished.stdout, "hi\n/made/up\n1000\n1001\nfrom outside\n",
        "{finished:?}"
    );
    assert_eq!(finished.code, 0);
}

#[test]
fn is_a_machine_of_its_own() {
    let system = System::start();
    let script = "hostname; cat /proc/sys/kernel/osrelease; nproc; cat /sys/fs/cgroup/memory.max; cat /proc/1/comm; ip addr show eth0";
    let text = system.ok([
        "run", "--rm", "--name", "alone", "--cpus", "2", "--memory", "300m", "busybox", "sh", "-c", script,
    ]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "alone");
    let host = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("the host's kernel");
    assert_ne!(lines[1], host.trim());
    assert_eq!(lines[2], "2");
    assert_eq!(lines[3], (300 << 20).to_string());
    assert_eq!(lines[4], "sh");
    assert!(text.contains("inet "), "{text}");
}

#[test]
fn keeps_what_a_container_wrote_until_it_is_deleted() {
    let system = System::start();
    system.ok([
        "run",
        "--name",
        "keeper",
        "busybox",
        "sh",
        "-c",
        "echo kept > /file; rm /bin/vi; sync",
    ]);
    assert_eq!(system.state("keeper"), "stopped");
    // The next start has the first one's changes: the script is the same, the file is there already.
    system.ok(["start", "keeper"]);
    container_tests::eventually(
        std::time::Duration::from_secs(20),
        "the container to stop",
        || system.state("keeper") == "stopped",
    );
    system.ok(["delete", "keeper"]);
    assert!(!system.bundle("keeper").exists());
    // The image is as it was.
    assert_eq!(
        system.ok([
            "run",
            "--rm",
            "busybox",
            "sh",
            "-c",
            "ls /file /bin/vi 2>/dev/null; true"
        ]),
        "/bin/vi"
    );
}

#[test]
fn says_what_is_wrong_with_bad_input() {
    let system = System::start();
    let cases: [(&[&str], i32, &str); 7] = [
        (
            &["run", "--rm", "--memory", "100m", "busybox"],
            1,
            "minimum memory amount allowed is 200 MiB",
        ),
        (&["run", "--rm", "--memory", "many", "busybox"], 1, "invalid size"),
        (
            &["run", "--rm", "--memory", "1x", "busybox"],
            1,
            "invalid symbol: x",
        ),
        (
            &["run", "--rm", "--name", "x", "busybox"],
            1,
            "container ID x is not a valid container ID",
        ),
        (
            &["run", "--rm", "busybox", "no-such-program"],
            1,
            "failed to find target executable no-such-program",
        ),
        (
            &["run", "--rm", "--platform", "linux/s390x", "busybox"],
            1,
            "platform linux/s390x",
        ),
        (&["run"], 64, "Missing expected argument"),
    ];
    for (arguments, code, text) in cases {
        let finished = system.fails(arguments);
        assert_eq!(finished.code, code, "{arguments:?}: {finished:?}");
        assert!(finished.stderr.contains(text), "{arguments:?}: {finished:?}");
        assert_eq!(
            finished
                .stderr
                .lines()
                .filter(|line| line.starts_with("Error: "))
                .count(),
            1,
            "{finished:?}"
        );
    }
    assert_eq!(system.ok(["list", "-a", "-q"]), "");
}

#[test]
fn refuses_a_second_container_of_one_name() {
    let system = System::start();
    assert_eq!(system.ok(["create", "--name", "twin", "busybox"]), "twin");
    let second = system.fails(["run", "--name", "twin", "busybox", "true"]);
    assert_eq!(second.stderr, "Error: container with id twin already exists\n");
    assert_eq!(second.code, 1);
}

#[test]
fn writes_the_id_to_a_cidfile_and_prints_it_when_detached() {
    let system = System::start();
    let file = system.home().join("cid");
    let file = file.to_str().expect("UTF-8");
    let id = system.ok(["run", "-d", "--cidfile", file, "busybox", "sleep", "1000"]);
    assert_eq!(std::fs::read_to_string(file).expect("the cidfile"), id);
    assert_eq!(system.state(&id), "running");
    assert!(system.ok(["list"]).contains(&id));
    assert_eq!(system.ok(["stop", "-t", "0", &id]), id);
    assert_eq!(system.state(&id), "stopped");
}

//! `container exec`: further processes in a running container.

use container_tests::System;

#[test]
fn runs_processes_beside_the_first_one() {
    let system = System::start();
    system.ok([
        "run",
        "-d",
        "--name",
        "host",
        "-e",
        "COLOUR=red",
        "busybox",
        "sleep",
        "1000",
    ]);
    assert_eq!(
        system.ok(["exec", "host", "sh", "-c", "echo $COLOUR; cat /proc/1/comm"]),
        "red\nsleep"
    );
    assert_eq!(
        system.ok([
            "exec",
            "-e",
            "COLOUR=blue",
            "-w",
            "/tmp",
            "host",
            "sh",
            "-c",
            "echo $COLOUR; pwd"
        ]),
        "blue\n/tmp"
    );
    assert_eq!(system.ok(["exec", "-u", "1000", "host", "id", "-u"]), "1000");
    let input = system.run_with_input(["exec", "-i", "host", "wc", "-c"], &[7; 300_000]);
    assert_eq!((input.code, input.stdout.trim()), (0, "300000"));
    let failed = system.run(["exec", "host", "sh", "-c", "echo err >&2; exit 3"]);
    assert_eq!((failed.code, failed.stderr.as_str()), (3, "err\n"));
    let missing = system.fails(["exec", "host", "no-such-program"]);
    assert_eq!(missing.code, 1);
    assert!(
        missing
            .stderr
            .contains("failed to find target executable no-such-program"),
        "{missing:?}"
    );
    assert_eq!(
        system.ok(["exec", "-d", "host", "sh", "-c", "echo made > /tmp/made"]),
        "host"
    );
    container_tests::eventually(std::time::Duration::from_secs(5), "the detached process", || {
        system.run(["exec", "host", "cat", "/tmp/made"]).stdout == "made\n"
    });
    system.ok(["stop", "-t", "0", "host"]);
    let stopped = system.fails(["exec", "host", "true"]);
    assert_eq!(stopped.stderr, "Error: container host is not running\n");
}

#[test]
fn many_at_once() {
    let system = System::start();
    system.ok(["run", "-d", "--name", "busy", "busybox", "sleep", "1000"]);
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..12)
            .map(|number| {
                let system = &system;
                scope.spawn(move || {
                    system.ok(["exec", "busy", "sh", "-c", &format!("sleep 0.2; echo {number}")])
                })
            })
            .collect();
        for (number, run) in runs.into_iter().enumerate() {
            assert_eq!(run.join().expect("an exec"), number.to_string());
        }
    });
}

#[test]
fn large_streams_arrive_whole() {
    let system = System::start();
    system.ok(["run", "-d", "--name", "pipe", "busybox", "sleep", "1000"]);
    let input: Vec<u8> = (0..8_000_000_u32)
        .map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let mut command = system.command(["exec", "-i", "pipe", "cat"]);
    let mut child = command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("container exec");
    let mut stdin = child.stdin.take().expect("its input");
    let writer = {
        let input = input.clone();
        std::thread::spawn(move || std::io::Write::write_all(&mut stdin, &input))
    };
    let output = child.wait_with_output().expect("its output");
    writer
        .join()
        .expect("the writing thread")
        .expect("everything is taken");
    assert!(output.status.success());
    assert!(
        output.stdout == input,
        "{} of {} bytes",
        output.stdout.len(),
        input.len()
    );
}

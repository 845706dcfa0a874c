//! `create`, `start`, `stop`, `kill`, `delete`, `list`, `inspect`, `logs`.

use std::time::{Duration, Instant};

use container_tests::{System, eventually};

#[test]
fn from_create_to_delete() {
    let system = System::start();
    assert_eq!(
        system.ok([
            "create",
            "--name",
            "life",
            "busybox",
            "sh",
            "-c",
            "echo started; exec sleep 1000"
        ]),
        "life"
    );
    assert_eq!(system.state("life"), "stopped");
    assert_eq!(system.ok(["list", "-q"]), "");
    assert_eq!(system.ok(["list", "-a", "-q"]), "life");
    let logs = system.fails(["logs", "life"]);
    assert!(logs.stderr.starts_with("Error: failed to "), "{logs:?}");
    assert_eq!(system.ok(["start", "life"]), "life");
    assert_eq!(system.ok(["start", "life"]), "life", "a second start is fine");
    assert_eq!(system.state("life"), "running");
    eventually(Duration::from_secs(5), "the output", || {
        system.ok(["logs", "life"]) == "started"
    });
    assert!(
        system.ok(["logs", "--boot", "life"]).contains("vminitd"),
        "the boot log"
    );
    let running = system.fails(["delete", "life"]);
    assert!(
        running
            .stderr
            .contains("container life is running and can not be deleted"),
        "{running:?}"
    );
    let start = Instant::now();
    assert_eq!(system.ok(["kill", "life"]), "life");
    assert!(start.elapsed() < Duration::from_secs(6));
    assert_eq!(system.state("life"), "stopped");
    let again = system.fails(["kill", "life"]);
    assert!(
        again
            .stderr
            .contains("no runtime client exists: container is stopped"),
        "{again:?}"
    );
    assert_eq!(
        system.ok(["stop", "life"]),
        "life",
        "stopping a stopped container is fine"
    );
    assert_eq!(system.ok(["delete", "life"]), "life");
    let gone = system.fails(["inspect", "life"]);
    assert_eq!(
        (gone.code, gone.stderr.as_str()),
        (1, "Error: container not found: life\n")
    );
}

#[test]
fn attached_starts_end_with_the_process() {
    let system = System::start();
    system.ok([
        "create",
        "-i",
        "--name",
        "counter",
        "busybox",
        "sh",
        "-c",
        "wc -l; exit 4",
    ]);
    let finished = system.run_with_input(["start", "-a", "-i", "counter"], b"1\n2\n3\n");
    assert_eq!((finished.code, finished.stdout.trim()), (4, "3"), "{finished:?}");
    assert_eq!(system.state("counter"), "stopped");
}

#[test]
fn signals_reach_the_process() {
    let system = System::start();
    let script =
        "trap 'echo term; exit 9' TERM; trap 'echo usr' USR1; echo ready; while :; do sleep 0.1; done";
    system.ok(["run", "-d", "--name", "trap", "busybox", "sh", "-c", script]);
    let logs = |text: &str| {
        eventually(Duration::from_secs(10), text, || {
            system.ok(["logs", "trap"]).contains(text)
        });
    };
    logs("ready");
    system.ok(["kill", "-s", "SIGUSR1", "trap"]);
    logs("usr");
    assert_eq!(system.ok(["stop", "trap"]), "trap");
    logs("term");
    assert_eq!(system.state("trap"), "stopped");
    let unknown = system.run(["stop", "nobody"]);
    assert_eq!(unknown.code, 1);
    assert!(
        unknown.stderr.contains("container with ID nobody not found"),
        "{unknown:?}"
    );
    let none = system.fails(["stop"]);
    assert_eq!(
        (none.code, none.stderr.as_str()),
        (1, "Error: no containers specified and --all not supplied\n")
    );
}

#[test]
fn a_foreground_run_passes_signals_on() {
    let system = System::start();
    let script = "trap 'echo got it; exit 5' INT; echo ready; while :; do sleep 0.1; done";
    let mut command = system.command(["run", "--rm", "--name", "fore", "busybox", "sh", "-c", script]);
    let child = command
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("container run");
    let id = i32::try_from(child.id()).expect("a process id");
    eventually(Duration::from_secs(60), "the shell to be ready", || {
        let logs = system.run(["logs", "fore"]);
        logs.stdout.contains("ready")
    });
    container_tests::signal("INT", id);
    let output = child.wait_with_output().expect("its output");
    assert_eq!(container_tests::code(output.status), 5);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "ready\ngot it\n");
}

#[test]
fn lists_in_every_format() {
    let system = System::start();
    system.ok(["create", "--name", "one", "--label", "a=b", "busybox"]);
    let table = system.ok(["list", "-a"]);
    assert!(table.starts_with("ID   IMAGE "), "{table}");
    let json: serde_json::Value =
        serde_json::from_str(&system.ok(["list", "-a", "--format", "json"])).expect("JSON");
    assert_eq!(json[0]["configuration"]["labels"]["a"], "b");
    assert_eq!(json[0]["status"]["state"], "stopped");
    assert!(system.ok(["list", "-a", "--format", "yaml"]).contains("id: one"));
    assert!(
        system
            .ok(["list", "-a", "--format", "toml"])
            .contains("[[items]]")
    );
    let bad = system.fails(["list", "--format", "xml"]);
    assert_eq!(bad.code, 64);
}

#[test]
fn attached_commands_show_the_rest_and_end_with_the_container() {
    use std::io::Read;

    let system = System::start();
    let script = "trap 'echo caught; echo aside >&2; exit 6' USR1; while :; do echo tick; sleep 0.1; done";
    system.ok(["run", "-d", "--name", "shown", "busybox", "sh", "-c", script]);
    let attach = || {
        let mut command = system.command(["attach", "shown"]);
        let piped = std::process::Stdio::piped;
        let mut child = command.stdout(piped()).stderr(piped()).spawn().expect("attach");
        // A signal must not arrive before the streams do.
        let stdout = child.stdout.as_mut().expect("a pipe");
        let mut tick = [0; 5];
        stdout.read_exact(&mut tick).expect("a tick");
        assert_eq!(&tick, b"tick\n");
        child
    };
    let (first, second) = (attach(), attach());
    container_tests::signal("USR1", i32::try_from(first.id()).expect("a process id"));
    for child in [first, second] {
        let output = child.wait_with_output().expect("its output");
        assert_eq!(container_tests::code(output.status), 6, "{output:?}");
        assert!(output.stdout.ends_with(b"caught\n"), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "aside\n");
    }
    let stopped = system.fails(["attach", "shown"]);
    assert_eq!(stopped.stderr, "Error: container shown is not running\n");
}

#[test]
fn attached_commands_write_to_the_process() {
    use std::io::{BufRead, BufReader, Write};
    use std::process::Stdio;

    let system = System::start();
    let script =
        "while read line; do echo \"got $line\"; [ \"$line\" = quit ] && exit 5; done; echo end; exit 6";
    system.ok([
        "run", "-d", "-i", "--name", "reader", "busybox", "sh", "-c", script,
    ]);
    // The end of one's input is nobody else's, and --no-stdin keeps everything away from it.
    let mut silent = system.command(["attach", "--no-stdin", "reader"]);
    let mut silent = silent
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("attach");
    let attach = || {
        let mut command = system.command(["attach", "reader"]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("attach");
        let (input, output) = (child.stdin.take(), child.stdout.take());
        (
            child,
            input.expect("a pipe"),
            BufReader::new(output.expect("a pipe")),
        )
    };
    let line = |output: &mut BufReader<_>| {
        let mut line = String::new();
        output.read_line(&mut line).expect("a line");
        line
    };
    let (mut first, mut first_input, mut first_output) = attach();
    first_input.write_all(b"one\n").expect("the pipe");
    assert_eq!(line(&mut first_output), "got one\n");
    drop(first_input);
    let (mut second, mut second_input, mut second_output) = attach();
    silent
        .stdin
        .take()
        .expect("a pipe")
        .write_all(b"not this\n")
        .expect("the pipe");
    second_input.write_all(b"two\n").expect("the pipe");
    assert_eq!(line(&mut second_output), "got two\n");
    assert_eq!(line(&mut first_output), "got two\n", "both see everything");
    second_input.write_all(b"quit\n").expect("the pipe");
    for child in [&mut first, &mut second, &mut silent] {
        assert_eq!(container_tests::wait_at_most(child, Duration::from_secs(20)), 5);
    }

    let script = "while read line; do echo \"got $line\"; done; exit 7";
    let mut terminal = system.command([
        "run", "-d", "-i", "-t", "--name", "shell", "busybox", "sh", "-c", script,
    ]);
    assert!(terminal.stdout(Stdio::null()).status().expect("run").success());
    let mut terminal = container_tests::Terminal::start(system.command(["attach", "shell"]), 80, 24);
    terminal.press("hello\r");
    terminal.expect("got hello");
    // The end of the input, as the terminal in the container understands it.
    terminal.press("\x04");
    assert_eq!(terminal.wait(), 7);
}

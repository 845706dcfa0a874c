//! A process in the foreground: its terminal, its signals, and what happens when the command or its reader goes away.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::time::Duration;

use container_tests::{System, Terminal, eventually, signal, wait_at_most};

const SOON: Duration = Duration::from_secs(60);

#[test]
fn a_shell_on_a_terminal() {
    let system = System::start();
    let command = system.command(["run", "--rm", "-it", "--progress", "none", "busybox", "sh"]);
    let mut terminal = Terminal::start(command, 100, 40);
    assert!(!terminal.is_raw());
    terminal.expect("# ");
    assert!(terminal.is_raw());
    terminal.press("stty size\n");
    terminal.expect("\r\n40 100\r\n");
    terminal.resize(120, 50);
    terminal.press("while [ \"$(stty size)\" != '50 120' ]; do sleep 0.1; done; echo resi''zed\n");
    terminal.expect("resized\r\n");
    // Said by the process in the foreground itself: before there is one, the shell may overlook an interrupt.
    terminal.press("sh -c 'echo go\"\"ing; exec sleep 1000'\n");
    terminal.expect("going\r\n");
    terminal.press("\x03");
    terminal.expect("^C");
    terminal.expect("# ");
    terminal.press("exit 9\n");
    assert_eq!(terminal.wait(), 9);
    assert!(!terminal.is_raw());
    assert_eq!(system.ok(["list", "-a", "-q"]), "");
}

#[test]
fn a_terminal_is_given_back_when_the_command_is_ended() {
    let system = System::start();
    let command = system.command(["run", "--name", "shell", "-it", "busybox", "sh"]);
    let mut terminal = Terminal::start(command, 80, 24);
    terminal.expect("# ");
    assert!(terminal.is_raw());
    terminal.signal("TERM");
    assert_eq!(terminal.wait(), 128 + 15);
    assert!(!terminal.is_raw());
    assert_eq!(system.state("shell"), "running");
    system.ok(["stop", "-t", "0", "shell"]);
    let finished = system.run(["run", "-it", "busybox", "true"]);
    assert_eq!(
        (finished.code, finished.stderr.as_str()),
        (
            1,
            "Error: failed to set up the terminal: standard input is not a terminal\n"
        )
    );
}

#[test]
fn a_killed_command_leaves_its_container_and_the_terminal_alone() {
    let system = System::start();
    let script = "i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.1; done";
    let arguments = [
        "run",
        "--name",
        "ticker",
        "--progress",
        "none",
        "busybox",
        "sh",
        "-c",
        script,
    ];
    let mut terminal = Terminal::start(system.command(arguments), 80, 24);
    terminal.expect("tick 3\r\n");
    terminal.signal("KILL");
    assert_eq!(terminal.wait(), 128 + 9);
    terminal.shown_within(Duration::from_millis(300));
    let last = || system.ok(["logs", "-n", "1", "ticker"]);
    let before = last();
    eventually(SOON, "more ticks in the log", || last() != before);
    assert_eq!(system.state("ticker"), "running");
    assert_eq!(terminal.shown_within(Duration::from_millis(500)), "");
    system.ok(["stop", "-t", "0", "ticker"]);
}

#[test]
fn a_reader_that_has_enough_ends_the_process() {
    let system = System::start();
    let mut child = system
        .command(["run", "--rm", "--progress", "none", "busybox", "yes"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("container run");
    let mut output = BufReader::new(child.stdout.take().expect("its output"));
    let mut line = String::new();
    output.read_line(&mut line).expect("a line");
    assert_eq!(line, "y\n");
    drop(output);
    wait_at_most(&mut child, SOON);
    assert_eq!(system.ok(["list", "-a", "-q"]), "");
}

#[test]
fn a_slow_reader_gets_everything() {
    let system = System::start();
    let script = "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo \"$i 0123456789012345678901234567890123456789\"; done";
    let mut child = system
        .command(["run", "--rm", "--progress", "none", "busybox", "sh", "-c", script])
        .stdout(Stdio::piped())
        .spawn()
        .expect("container run");
    // Longer than any grace period, and more than a pipe holds.
    eventually(SOON, "the container to end", || {
        system.processes("qemu").is_empty() && !system.processes("container run").is_empty()
    });
    std::thread::sleep(Duration::from_secs(4));
    let mut text = String::new();
    let mut output = child.stdout.take().expect("its output");
    output.read_to_string(&mut text).expect("text");
    assert_eq!(text.lines().count(), 3000);
    assert!(text.ends_with("3000 0123456789012345678901234567890123456789\n"));
    assert_eq!(wait_at_most(&mut child, SOON), 0);
}

#[test]
fn the_third_interrupt_ends_the_command_alone() {
    let system = System::start();
    let script = "trap 'echo again' INT; echo ready; while :; do sleep 0.1; done";
    let arguments = [
        "run",
        "--name",
        "stubborn",
        "--progress",
        "none",
        "busybox",
        "sh",
        "-c",
        script,
    ];
    let mut child = system
        .command(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("container run");
    let id = i32::try_from(child.id()).expect("a process id");
    let mut output = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut expect = |text: &str| assert_eq!(output.next().expect("a line").expect("text"), text);
    expect("ready");
    for _ in 0..2 {
        signal("INT", id);
        expect("again");
    }
    signal("INT", id);
    assert_eq!(wait_at_most(&mut child, SOON), 1);
    let mut text = String::new();
    child
        .stderr
        .take()
        .expect("its errors")
        .read_to_string(&mut text)
        .expect("text");
    assert_eq!(text, "Received 3 SIGINT/SIGTERM's, forcefully exiting.\n");
    assert_eq!(system.state("stubborn"), "running");
    system.ok(["stop", "-t", "0", "stubborn"]);
}

//! `container stats`.

use std::process::Stdio;
use std::time::{Duration, Instant};

use container_tests::{System, Terminal, eventually, signal, wait_at_most};
use serde_json::Value;

const HEADER: &str = "Container ID  Cpu %  Memory Usage  Net Rx/Tx  Block I/O  Pids\n";

/// The cells of a container's line: columns are at least two blanks apart.
fn cells(table: &str, id: &str) -> Vec<String> {
    let mut lines = table.lines().filter(|line| line.starts_with(&format!("{id} ")));
    let line = lines.next().unwrap_or_else(|| panic!("no {id} in\n{table}"));
    let cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
    cells.map(str::to_owned).collect()
}

fn percent(cell: &str) -> f64 {
    cell.trim_end_matches('%')
        .parse()
        .unwrap_or_else(|_| panic!("{cell}"))
}

#[test]
fn samples_of_running_containers() {
    let system = System::start();
    let arguments = ["stats", "--no-stream"];
    assert_eq!(system.run(arguments).stdout, HEADER);
    assert_eq!(system.ok(["stats", "--format", "json"]), "[]");

    let endless = "while :; do :; done";
    system.ok([
        "run", "-d", "--name", "busy", "--cpus", "1", "busybox", "sh", "-c", endless,
    ]);
    system.ok([
        "run", "-d", "--name", "calm", "--memory", "300m", "busybox", "sleep", "1000",
    ]);
    system.ok(["create", "--name", "idle", "busybox", "true"]);

    let table = system.ok(arguments);
    let (busy, calm) = (cells(&table, "busy"), cells(&table, "calm"));
    assert!(!table.contains("idle"), "{table}");
    assert_eq!((busy.len(), calm.len()), (6, 6), "{table}");
    assert!(calm[2].ends_with(" / 300.00 MiB"), "{table}");
    assert!(calm[3].contains("KiB / ") && calm[4].contains(" / "), "{table}");
    assert_eq!(calm[5], "1");
    let (busy, calm) = (percent(&busy[1]), percent(&calm[1]));
    assert!(busy > calm && busy <= 120.0 && calm < 50.0, "{table}");

    let counters: Vec<Value> =
        serde_json::from_str(&system.ok(["stats", "--format", "json", "calm", "idle"])).expect("JSON");
    assert_eq!(counters.len(), 1, "stopped containers are left out");
    let keys: Vec<&str> = counters[0]
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    let expected = [
        "blockReadBytes",
        "blockWriteBytes",
        "cpuUsageUsec",
        "hostMemoryBytes",
        "id",
        "memoryLimitBytes",
        "memoryUsageBytes",
        "networkRxBytes",
        "networkTxBytes",
        "numProcesses",
    ];
    assert_eq!(keys, expected);
    assert_eq!(counters[0]["memoryLimitBytes"], 300 << 20);

    let host = counters[0]["hostMemoryBytes"].as_u64().unwrap_or_default();
    assert!((16 << 20..1 << 30).contains(&host), "{host} bytes");

    let unknown = system.fails(["stats", "calm", "nothing"]);
    assert_eq!(
        (unknown.code, unknown.stderr.as_str()),
        (1, "Error: no such container: nothing\n")
    );

    one_that_hangs_does_not_hide_the_others(&system);
    redrawn_on_a_terminal(&system);
    one_table_after_the_other_elsewhere(&system);
    one_line_per_sample(&system);
}

fn one_line_per_sample(system: &System) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut child = system
        .command(["stats", "--stream", "--format", "json", "calm"])
        .stdout(Stdio::from(file.reopen().expect("the file")))
        .spawn()
        .expect("stats");
    let written = || std::fs::read_to_string(file.path()).expect("the file");
    eventually(Duration::from_secs(20), "two samples", || {
        written().ends_with('\n') && written().lines().count() == 2
    });
    signal("TERM", i32::try_from(child.id()).expect("a process id"));
    assert_eq!(wait_at_most(&mut child, Duration::from_secs(5)), 0);
    for line in written().lines() {
        let sample: Vec<Value> = serde_json::from_str(line).expect("JSON");
        assert_eq!(sample[0]["id"], "calm");
    }
}

fn one_that_hangs_does_not_hide_the_others(system: &System) {
    let bundle = system.bundle("busy");
    let helpers = system.processes(bundle.to_str().expect("UTF-8"));
    let [helper] = helpers[..] else {
        panic!("one helper: {helpers:?}")
    };
    signal("STOP", helper);
    let start = Instant::now();
    let table = system.ok(["stats", "--no-stream"]);
    let elapsed = start.elapsed();
    signal("CONT", helper);
    assert_eq!(cells(&table, "busy"), ["busy", "--", "--", "--", "--", "--"]);
    assert_eq!(cells(&table, "calm")[5], "1", "{table}");
    assert!(elapsed < Duration::from_secs(8), "{elapsed:?}");
}

fn redrawn_on_a_terminal(system: &System) {
    for name in ["INT", "TERM"] {
        let mut terminal = Terminal::start(system.command(["stats"]), 100, 20);
        let before = terminal.expect("\x1b[?1049h\x1b[?25l");
        assert_eq!(before, "\x1b[?1049h\x1b[?25l");
        terminal.expect("\x1b[HContainer ID");
        // Only the second table has percentages.
        terminal.expect("\x1b[HContainer ID");
        terminal.expect("calm");
        terminal.expect("%");
        terminal.expect("\x1b[J");
        terminal.resize(9, 2);
        terminal.expect("\x1b[HContainer\x1b[K");
        // The terminal makes CR LF of LF.
        assert_eq!(terminal.expect("\x1b[J"), "\r\r\nbusy     \x1b[K\x1b[J");
        terminal.signal(name);
        assert_eq!(terminal.wait(), 0, "{name}");
        let after = terminal.expect("\x1b[?25h\x1b[?1049l");
        assert!(!after.contains("1049h"), "{after:?}");
    }
}

fn one_table_after_the_other_elsewhere(system: &System) {
    let mut command = system.command(["stats", "calm"]);
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut child = command
        .stdout(Stdio::from(file.reopen().expect("the file")))
        .spawn()
        .expect("stats");
    let written = || std::fs::read_to_string(file.path()).expect("the file");
    eventually(Duration::from_secs(20), "two tables", || {
        written().matches("Container ID").count() == 2
    });
    signal("INT", i32::try_from(child.id()).expect("a process id"));
    assert_eq!(wait_at_most(&mut child, Duration::from_secs(5)), 0);
    let text = written();
    assert!(
        !text.contains('\x1b') && text.contains("\n\nContainer ID"),
        "{text}"
    );
}

//! `container events`.

use std::process::Stdio;
use std::time::Duration;

use container_tests::{System, eventually, signal, wait_at_most};
use serde_json::Value;

#[test]
fn what_happens_is_told_as_it_happens_and_later() {
    let system = System::start();
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut watcher = system
        .command(["events"])
        .stdout(Stdio::from(file.reopen().expect("the file")))
        .spawn()
        .expect("events");
    let told = || -> Vec<(String, String)> {
        let text = std::fs::read_to_string(file.path()).expect("the file");
        let events = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        events
            .map(|event| (text(&event["id"]), text(&event["action"])))
            .collect()
    };
    // It watches when it tells the first one.
    let mut number = 0;
    eventually(Duration::from_secs(20), "the watcher", || {
        number += 1;
        let name = format!("probe-{number}");
        system.ok(["create", "--name", &name, "busybox"]);
        told().iter().any(|(id, _)| *id == name)
    });
    let failed = system.run(["run", "--rm", "--name", "short", "busybox", "sh", "-c", "exit 3"]);
    assert_eq!(failed.code, 3);
    let of_short = || -> Vec<String> {
        let of_short = told().into_iter().filter(|(id, _)| id == "short");
        of_short.map(|(_, action)| action).collect()
    };
    let expected = ["create", "start", "die", "destroy"];
    eventually(Duration::from_secs(10), "its whole life", || {
        of_short() == expected
    });
    signal("TERM", i32::try_from(watcher.id()).expect("a process id"));
    wait_at_most(&mut watcher, Duration::from_secs(5));

    let past = ["events", "--since", "1h", "--until", "0s"];
    let died = system.ok(past
        .into_iter()
        .chain(["--filter", "event=die", "--filter", "container=short"]));
    let died: Value = serde_json::from_str(&died).expect("one line of JSON");
    assert_eq!(died["attributes"]["exitCode"], "3");
    assert_eq!(died["type"], "container");
    assert_eq!(
        system.ok(past.into_iter().chain(["--filter", "container=nobody"])),
        ""
    );
    for wrong in ["event=explode", "color=red", "die"] {
        assert_eq!(system.fails(["events", "--filter", wrong]).code, 1);
    }
}

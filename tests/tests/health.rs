//! Health checks: the options', the image's, and who is told.

use std::time::Duration;

use container_tests::{System, eventually, signal};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(40);

fn health(system: &System, id: &str) -> Value {
    system.inspect(id)["status"]["health"].clone()
}

fn becomes(system: &System, id: &str, status: &str) {
    eventually(LIMIT, status, || health(system, id)["status"] == status);
}

#[test]
fn a_check_finds_out_how_a_container_is() {
    let mut system = System::start();
    let check = "echo looked; test -e /ok";
    system.ok([
        "run",
        "-d",
        "--name",
        "web",
        "--health-cmd",
        check,
        "--health-interval",
        "200ms",
        "--health-retries",
        "2",
        "busybox",
        "sleep",
        "1000",
    ]);
    let events = [
        "events",
        "--since",
        "1h",
        "--until",
        "0s",
        "--filter",
        "event=health_status",
    ];
    let told = |system: &System| -> Vec<String> {
        let text = system.ok(events);
        let events = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let status = |event: Value| {
            event["attributes"]["healthStatus"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        events.map(status).collect()
    };
    assert!(
        ["starting", "unhealthy"]
            .map(Value::from)
            .contains(&health(&system, "web")["status"])
    );
    becomes(&system, "web", "unhealthy");
    system.ok(["exec", "web", "touch", "/ok"]);
    becomes(&system, "web", "healthy");
    assert_eq!(told(&system), ["unhealthy", "healthy"]);
    eventually(LIMIT, "five results", || {
        health(&system, "web")["log"]
            .as_array()
            .is_some_and(|log| log.len() == 5)
    });
    let found = health(&system, "web");
    assert_eq!(found["failingStreak"], 0);
    assert_eq!(
        (&found["log"][4]["exitCode"], &found["log"][4]["output"]),
        (&0.into(), &"looked\n".into())
    );

    // The helper goes on checking without an API server, and the next one takes over what it finds out.
    signal("KILL", system.processes("container-apiserver")[0]);
    eventually(LIMIT, "the server's end", || {
        system.processes("container-apiserver").is_empty()
    });
    system.boot();
    becomes(&system, "web", "healthy");
    system.ok(["exec", "web", "rm", "/ok"]);
    becomes(&system, "web", "unhealthy");
    assert!(health(&system, "web")["failingStreak"].as_u64() >= Some(2));
    eventually(LIMIT, "the event", || told(&system) == ["unhealthy"]);
    system.ok(["kill", "web"]);
    assert_eq!(
        health(&system, "web"),
        Value::Null,
        "nobody knows how a stopped one is"
    );
}

#[test]
fn images_bring_checks_along() {
    let system = System::start();
    system.ok(["run", "-d", "--name", "base", "busybox", "sleep", "1000"]);
    let check = r#"HEALTHCHECK --interval=200ms --timeout=300ms --retries=1 CMD ["sleep", "1000"]"#;
    system.ok(["commit", "--change", check, "base", "hangs"]);
    system.ok(["kill", "base"]);
    system.ok(["run", "-d", "--name", "hangs", "hangs", "sleep", "1000"]);
    becomes(&system, "hangs", "unhealthy");
    let last = health(&system, "hangs")["log"][0].clone();
    assert_eq!(last["exitCode"], -1);
    assert_eq!(last["output"], "health check did not end within 300ms");
    system.ok([
        "run",
        "-d",
        "--name",
        "late",
        "--health-timeout",
        "200ms",
        "hangs",
        "sleep",
        "1000",
    ]);
    becomes(&system, "late", "unhealthy");
    assert_eq!(
        health(&system, "late")["log"][0]["output"],
        "health check did not end within 200ms"
    );
    let processes = || {
        system
            .ok(["top", "--format", "json", "hangs"])
            .matches("sleep 1000")
            .count()
    };
    eventually(LIMIT, "the killed check's end", || processes() == 1);

    system.ok([
        "run",
        "-d",
        "--name",
        "none",
        "--no-healthcheck",
        "hangs",
        "sleep",
        "1000",
    ]);
    assert_eq!(health(&system, "none"), Value::Null);
    let period = [
        "--health-cmd",
        "false",
        "--health-start-period",
        "1h",
        "--health-interval",
        "1h",
        "--health-start-interval",
        "100ms",
    ];
    let mut line = vec!["run", "-d", "--name", "starting"];
    line.extend(period.into_iter().chain(["hangs", "sleep", "1000"]));
    system.ok(line);
    eventually(LIMIT, "two results", || {
        health(&system, "starting")["log"]
            .as_array()
            .is_some_and(|log| log.len() >= 2)
    });
    assert_eq!(health(&system, "starting")["status"], "starting");
    let missing = system.fails(["create", "--health-retries", "3", "busybox"]);
    assert_eq!(
        missing.stderr,
        "Error: the image has no health check: say what to run with --health-cmd\n"
    );
}

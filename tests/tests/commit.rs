//! `container diff` and `container commit`.

use container_tests::System;
use serde_json::{Value, json};

/// What a container does to its root file system: of everything something.
const CHANGES: &str = "
set -e
mkdir -p /new/deep && echo data > /new/deep/file && ln /new/deep/file /new/hard && ln -s /etc/passwd /new/soft
mknod /new/fifo p; mknod /new/null c 1 3
echo more >> /etc/passwd
chown 7:8 /new/deep && chmod 4755 /new/deep/file && chmod 1777 /new
rm /etc/nsswitch.conf
mkdir /etc/nsswitch.conf && echo inside > /etc/nsswitch.conf/file
rm -rf /var && mkdir /var && echo fresh > /var/fresh
touch -d 2001-02-03 /new/old
echo done
";

/// What is seen of it: names, types, modes, owners, links, contents.
const LOOK: &str = "
cd / && find new etc/passwd etc/nsswitch.conf var | sort | xargs stat -c '%n %F %a %u:%g %h %t:%T'
readlink /new/soft; tail -n 1 /etc/passwd; cat /etc/nsswitch.conf/file /var/fresh /new/hard; stat -c %Y /new/old
";

#[test]
fn an_image_has_what_its_container_changed() {
    let system = System::start();
    let script = format!("{CHANGES} while :; do sleep 0.1; done");
    system.ok([
        "run", "-d", "--name", "writer", "--label", "x=y", "busybox", "sh", "-c", &script,
    ]);
    container_tests::eventually(std::time::Duration::from_secs(20), "the changes", || {
        system.ok(["logs", "writer"]).contains("done")
    });
    let diff = system.ok(["diff", "writer"]);
    let lines: Vec<&str> = diff.lines().collect();
    for expected in [
        "C /etc",
        "C /etc/passwd",
        "C /etc/nsswitch.conf",
        "A /etc/nsswitch.conf/file",
        "A /new",
        "A /new/deep",
        "A /new/deep/file",
        "A /new/hard",
        "A /new/soft",
        "A /new/fifo",
        "A /var/fresh",
        "D /var/spool",
    ] {
        assert!(lines.contains(&expected), "{expected}: {diff}");
    }
    assert!(lines.is_sorted_by_key(|line| &line[2..]), "{diff}");
    for own in [
        "/etc/hosts",
        "/etc/resolv.conf",
        "/etc/hostname",
        "/proc",
        "/dev",
        "/sys",
    ] {
        assert!(!lines.iter().any(|line| line.ends_with(own)), "{own}: {diff}");
    }

    let commit = [
        "commit",
        "-a",
        "Ann",
        "-m",
        "why",
        "-c",
        "CMD [\"sh\", \"-c\", \"echo committed $GREETING\"]",
        "-c",
        "ENV GREETING=hello",
        "-c",
        "WORKDIR /new",
        "-c",
        "LABEL a=b",
        "writer",
        "changed:v1",
    ];
    let digest = system.ok(commit);
    assert!(digest.starts_with("sha256:") && digest.len() == 71, "{digest}");
    assert_eq!(system.state("writer"), "running", "it goes on");
    assert_eq!(system.ok(["exec", "writer", "echo", "alive"]), "alive");
    let seen = system.ok(["exec", "writer", "sh", "-c", LOOK]);
    assert_eq!(system.ok(["run", "--rm", "changed:v1", "sh", "-c", LOOK]), seen);
    assert!(seen.contains("new/deep directory 755 7:8 2"), "{seen}");
    assert!(
        seen.contains("new/null character special file 644 0:0 1 1:3"),
        "{seen}"
    );
    assert!(seen.contains("new/deep/file regular file 4755 0:0 2"), "{seen}");
    assert_eq!(system.ok(["run", "--rm", "changed:v1"]), "committed hello");
    assert_eq!(system.ok(["run", "--rm", "changed:v1", "pwd"]), "/new");

    let images: Value = serde_json::from_str(&system.ok(["image", "inspect", "changed:v1"])).expect("JSON");
    assert_eq!(images[0]["configuration"]["descriptor"]["digest"], digest);
    let config = &images[0]["variants"][0]["config"];
    assert_eq!(config["config"]["Labels"], json!({ "a": "b" }));
    let last = config["history"].as_array().and_then(|history| history.last());
    let last = last.unwrap_or_else(|| panic!("{config}"));
    assert_eq!(
        (&last["author"], &last["comment"]),
        (&json!("Ann"), &json!("why"))
    );
    assert!(
        last["created_by"]
            .as_str()
            .is_some_and(|command| command.starts_with("sh -c"))
    );

    // On top of it, files of a lower layer go away and come back.
    let script = "rm /new/hard && rm -rf /new/deep && mkdir /new/deep && echo again > /new/deep/other && echo done; \
                  exec sleep 1000";
    system.ok(["run", "-d", "--name", "second", "changed:v1", "sh", "-c", script]);
    container_tests::eventually(std::time::Duration::from_secs(20), "the changes", || {
        system.ok(["logs", "second"]).contains("done")
    });
    let diff = system.ok(["diff", "second"]);
    let expected = "C /new\nC /new/deep\nD /new/deep/file\nA /new/deep/other\nD /new/hard";
    assert_eq!(diff, expected);
    let digest = system.ok(["commit", "--pause=false", "second"]);
    let name = format!("untagged@{digest}");
    assert_eq!(
        system.ok(["run", "--rm", &name, "find", "/new/deep"]),
        "/new/deep\n/new/deep/other"
    );
    assert_eq!(system.fails(["run", "--rm", &name, "cat", "/new/hard"]).code, 1);

    // A stopped container has the same, and is stopped afterwards.
    system.ok(["kill", "writer"]);
    let stopped = system.ok(["diff", "writer"]);
    assert_eq!(stopped, system.ok(["diff", "writer"]));
    for expected in ["A /new/deep/file", "D /var/spool"] {
        assert!(stopped.lines().any(|line| line == expected), "{stopped}");
    }
    system.ok(["commit", "writer", "of-stopped"]);
    assert_eq!(system.state("writer"), "stopped");
    assert_eq!(system.ok(["run", "--rm", "of-stopped", "sh", "-c", LOOK]), seen);
    system.ok(["create", "--name", "fresh", "busybox"]);
    assert_eq!(system.ok(["diff", "fresh"]), "");

    let wrong = system.fails(["commit", "-c", "RUN true", "writer"]);
    assert!(
        wrong.stderr.starts_with("Error: invalid change 'RUN true'"),
        "{wrong:?}"
    );
    let unknown = system.fails(["diff", "nobody"]);
    assert!(
        unknown.stderr.contains("container with ID nobody not found"),
        "{unknown:?}"
    );
    // A paused container stays as it is.
    system.ok(["pause", "second"]);
    system.ok(["commit", "second", "of-paused"]);
    assert_eq!(system.state("second"), "paused");
}

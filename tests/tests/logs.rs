//! `container logs`: what is kept of a container's output.

use std::process::Stdio;
use std::time::Duration;

use container_tests::{System, eventually, wait_at_most};

/// The standard output of a command, byte for byte.
fn bytes(system: &System, arguments: &[&str]) -> Vec<u8> {
    let output = system.command(arguments).output().expect("a command");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    output.stdout
}

#[test]
fn output_is_kept_as_it_was_with_its_time() {
    let system = System::start();
    let script =
        "echo out; echo err >&2; sleep 1; printf 'a\\000\\377\\r\\n\\n\\n'; sleep 1; printf 'no end'; exit 3";
    let run = system.run(["run", "--name", "talker", "busybox", "sh", "-c", script]);
    assert_eq!(run.code, 3, "{run:?}");
    let shown = bytes(&system, &["logs", "talker"]);
    // The order of the two streams is not fixed.
    let expected: [&[u8]; 2] = [
        b"out\nerr\na\0\xff\r\n\n\nno end",
        b"err\nout\na\0\xff\r\n\n\nno end",
    ];
    assert!(expected.contains(&&shown[..]), "{}", shown.escape_ascii());
    assert_eq!(bytes(&system, &["logs", "-n", "2", "talker"]), b"\nno end");
    assert_eq!(bytes(&system, &["logs", "-n", "0", "talker"]), b"");

    let timed = bytes(&system, &["logs", "--timestamps", "talker"]);
    let lines: Vec<&[u8]> = timed.split(|byte| *byte == b'\n').collect();
    assert_eq!(lines.len(), 6, "{}", timed.escape_ascii());
    let stamps: Vec<String> = lines
        .iter()
        .map(|line| String::from_utf8_lossy(&line[..30]).into_owned())
        .collect();
    assert!(stamps.is_sorted(), "{stamps:?}");
    assert!(
        stamps[0].starts_with("20") && stamps[0].ends_with('Z'),
        "{stamps:?}"
    );
    assert_eq!(&lines[5][31..], b"no end");

    let last = stamps[5].as_str();
    assert_eq!(bytes(&system, &["logs", "--since", last, "talker"]), b"no end");
    let before = bytes(&system, &["logs", "--until", last, "talker"]);
    assert_eq!([&before[..], b"no end"].concat(), shown);
    assert_eq!(bytes(&system, &["logs", "--since", "1h", "talker"]), shown);
    assert_eq!(bytes(&system, &["logs", "--until", "1h", "talker"]), b"");
    // A followed log ends where it is asked to.
    assert_eq!(bytes(&system, &["logs", "-f", "--until", "0s", "talker"]), shown);
    let wrong = system.fails(["logs", "--since", "yesterday", "talker"]);
    assert!(
        wrong.stderr.contains("invalid time 'yesterday' for --since"),
        "{wrong:?}"
    );
}

/// Writes numbered lines of 1000 bytes.
fn counting(lines: u32) -> String {
    format!("i=0; while [ $i -lt {lines} ]; do printf '%0999d\\n' $i; i=$((i+1)); done")
}

#[test]
fn logs_are_bounded_and_followed_across_files_and_starts() {
    let system = System::configured("[logs]\nmaxSize = \"1mb\"\nmaxFiles = 4\n");
    let lines = 3000_u32;
    let script = format!(
        "while ! [ -e /go ]; do sleep 0.1; done; rm /go; {}",
        counting(lines)
    );
    system.ok(["run", "-d", "--name", "long", "busybox", "sh", "-c", &script]);
    let followed = system.home().join("followed");
    let mut follower = system
        .command(["logs", "-f", "long"])
        .stdout(std::fs::File::create(&followed).expect("a file"))
        .stderr(Stdio::inherit())
        .spawn()
        .expect("logs -f");
    let expected: String = (0..lines).map(|number| format!("{number:0999}\n")).collect();
    for starts in 1..=2 {
        if starts > 1 {
            system.ok(["start", "long"]);
        }
        system.ok(["exec", "long", "touch", "/go"]);
        eventually(Duration::from_secs(60), "the container to stop", || {
            system.state("long") == "stopped"
        });
        let want = expected.repeat(starts);
        eventually(Duration::from_secs(10), "the follower", || {
            std::fs::metadata(&followed).is_ok_and(|file| file.len() >= want.len() as u64)
        });
        let got = std::fs::read_to_string(&followed).expect("text");
        assert!(got == want, "{} of {} bytes", got.len(), want.len());
        assert!(
            system.ok(["logs", "long"]) == expected.trim_end(),
            "a start begins anew"
        );
    }
    system.ok(["delete", "long"]);
    assert_eq!(wait_at_most(&mut follower, Duration::from_secs(10)), 0);

    let more = 3 * lines;
    system.ok(["run", "--name", "chatty", "busybox", "sh", "-c", &counting(more)]);
    let kept = system.ok(["logs", "chatty"]);
    assert!((3 << 20..4 << 20).contains(&kept.len()), "{} bytes", kept.len());
    let numbers: Vec<u32> = kept.lines().map(|line| line.parse().expect("a number")).collect();
    let first = numbers[0];
    assert!(
        numbers.iter().copied().eq(first..more),
        "from {first} without a gap"
    );
    let tail = system.ok(["logs", "-n", "1500", "chatty"]);
    assert_eq!(tail.lines().count(), 1500);
    assert!(kept.ends_with(&tail));
    let size: u64 = std::fs::read_dir(system.bundle("chatty").join("stdio"))
        .expect("the log")
        .map(|file| file.and_then(|file| file.metadata()).expect("a file").len())
        .sum();
    assert!(size <= 9 << 19, "{size} bytes on disk");
}

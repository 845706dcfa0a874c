//! Options of `run` as the process sees them. One virtual machine shows many.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;

use container_tests::{System, static_program};

/// The value that the script printed for `key`.
#[track_caller]
fn value<'a>(text: &'a str, key: &str) -> &'a str {
    text.lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
        .unwrap_or_else(|| panic!("no {key} in {text}"))
}

#[test]
fn process_and_resource_options() {
    let system = System::start();
    let file = system.home().join("variables");
    std::fs::write(&file, "# a comment\n  FROM_FILE=1 2 3 \nBOTH=file\nINHERITED\n").expect("a file");
    let script = r#"
        echo "init=$(tr '\0' ' ' < /proc/1/cmdline)"
        echo "env=$FROM_FILE|$BOTH|$INHERITED|$EMPTY|$GIVEN"
        echo "shm=$(df -k /dev/shm | awk 'END { print $2 }')"
        echo "nofile=$(ulimit -n) $(ulimit -H -n)"
        echo "nproc=$(awk '/^Max processes/ { print $3 }' /proc/self/limits)"
        echo "caps=$(awk '/CapEff/ { print $2 }' /proc/self/status)"
        echo "groups=$(awk '/^Groups/ { $1=""; print }' /proc/self/status)"
        echo "ids=$(id -u) $(id -g)"
        echo "root=$(touch /x 2>&1)"
        echo "scratch=$(touch /scratch/x 2>&1)$(awk '$2 == "/scratch" { print $3 }' /proc/mounts)"
        echo "sized=$(df -k /sized | awk 'END { print $2 }')"
        echo "masked=$(cat /proc/version 2>&1)|$(ls /proc/irq 2>&1)"
        echo "kept=$(awk '$2 == "/sys/firmware"' /proc/mounts)"
        echo "readonly=$(touch /tmp/x 2>&1)"
        echo "cmdline=$(cat /proc/cmdline)"
        echo "resolv=$(tr '\n' ';' < /etc/resolv.conf)"
        echo "cwd=$(pwd)"
    "#;
    let text = system.ok([
        "run",
        "--rm",
        "--init",
        "--env-file",
        file.to_str().expect("UTF-8"),
        "-e",
        "BOTH=flag",
        "-e",
        "EMPTY=",
        "-e",
        "GIVEN=a=b",
        "--shm-size",
        "32m",
        "--ulimit",
        "nofile=123:456",
        "--ulimit",
        "nproc=99",
        "--cap-drop",
        "ALL",
        "--cap-add",
        "net_bind_service",
        "--uid",
        "0",
        "--gid",
        "7",
        "--read-only",
        "--tmpfs",
        "/scratch",
        "--mount",
        "type=tmpfs,dst=/sized,size=4m,mode=1777",
        "--masked-path",
        "NONE",
        "--masked-path",
        "/proc/version",
        "--masked-path",
        "/proc/irq",
        "--read-only-path",
        "/tmp",
        "--kernel-arg",
        "quiet_please=1",
        "--dns",
        "192.0.2.1",
        "--dns-search",
        "example.org",
        "--dns-option",
        "ndots:2",
        "--dns-domain",
        "example.com",
        "-w",
        "/tmp",
        "--entrypoint",
        "sh",
        "busybox",
        "-c",
        script,
    ]);
    assert!(value(&text, "init").starts_with("/.cz-init -- sh -c"), "{text}");
    assert_eq!(value(&text, "env"), "1 2 3 |flag|||a=b");
    assert_eq!(value(&text, "shm"), "32768");
    assert_eq!(value(&text, "nofile"), "123 456");
    assert_eq!(value(&text, "nproc"), "99");
    assert_eq!(value(&text, "caps"), "0000000000000400");
    assert_eq!(value(&text, "ids"), "0 7");
    assert!(value(&text, "root").contains("Read-only file system"), "{text}");
    assert_eq!(value(&text, "scratch"), "tmpfs");
    assert_eq!(value(&text, "sized"), "4096");
    assert_eq!(value(&text, "masked"), "|", "hidden files are empty");
    assert_eq!(value(&text, "kept"), "", "the default paths are not hidden");
    assert!(
        value(&text, "readonly").contains("Read-only file system"),
        "{text}"
    );
    assert!(value(&text, "cmdline").contains("quiet_please=1"), "{text}");
    let resolv = "nameserver 192.0.2.1;domain example.com;search example.org;options ndots:2;";
    assert_eq!(value(&text, "resolv"), resolv);
    assert_eq!(value(&text, "cwd"), "/tmp");
}

#[test]
fn additional_options() {
    let system = System::start();
    let script = r#"
        echo "hostname=$(hostname)"
        echo "hosts=$(sed 1,2d /etc/hosts | tr '\t\n' ' ;')"
        echo "msgmax=$(cat /proc/sys/kernel/msgmax)"
        echo "caps=$(awk '/CapEff/ { print $2 }' /proc/self/status)"
        echo "hidden=$(grep -c -E ' (/proc/[a-z]|/sys/firmware)' /proc/mounts)"
        echo "groups=$(awk '/^Groups/ { $1 = ""; print }' /proc/self/status)"
        echo "pids=$(cat /sys/fs/cgroup/pids.max)"
        echo "cpu=$(cat /sys/fs/cgroup/cpu.max) $(nproc)"
        trap 'echo "stopped=by USR2"; exit 0' USR2
        trap '' TERM
        while :; do sleep 0.1; done
    "#;
    system.ok([
        "run",
        "-d",
        "--name",
        "extra",
        "--hostname",
        "db.example",
        "--add-host",
        "one:192.0.2.1",
        "--add-host",
        "gate:host-gateway",
        "--sysctl",
        "kernel.msgmax=9000",
        "--privileged",
        "--group-add",
        "1234",
        "--group-add",
        "video",
        "--pids-limit",
        "50",
        "--cpus",
        "1.5",
        "--stop-signal",
        "USR2",
        "--stop-timeout",
        "60",
        "--pull",
        "never",
        "busybox",
        "sh",
        "-c",
        script,
    ]);
    container_tests::eventually(std::time::Duration::from_secs(20), "the script", || {
        system.run(["logs", "extra"]).stdout.contains("cpu=")
    });
    system.ok(["stop", "extra"]);
    let text = system.ok(["logs", "extra"]);
    assert_eq!(value(&text, "hostname"), "db.example");
    let network = system.network("default");
    let gateway = network["status"]["ipv4Gateway"].as_str().unwrap_or_default();
    assert_eq!(
        value(&text, "hosts"),
        format!("192.0.2.1 one;{gateway} gate;"),
        "{text}"
    );
    assert_eq!(value(&text, "msgmax"), "9000");
    assert_eq!(
        value(&text, "caps").trim_start_matches('0'),
        "1ffffffffff",
        "{text}"
    );
    assert_eq!(value(&text, "hidden"), "0", "{text}");
    assert!(
        value(&text, "groups").split(' ').any(|group| group == "1234"),
        "{text}"
    );
    assert!(
        value(&text, "groups").split(' ').any(|group| group == "28"),
        "{text}"
    );
    let unknown = system.fails(["run", "--rm", "--group-add", "nobodies", "busybox", "true"]);
    assert!(
        unknown.stderr.contains("no group entries for group nobodies"),
        "{unknown:?}"
    );
    assert_eq!(value(&text, "pids"), "50");
    assert_eq!(value(&text, "cpu"), "150000 100000 2");
    assert_eq!(value(&text, "stopped"), "by USR2");
    let absent = system.fails(["run", "--rm", "--pull", "never", "no-such-image", "true"]);
    assert!(absent.stderr.contains("no-such-image"), "{absent:?}");
}

#[test]
fn options_of_the_machine_itself() {
    let system = System::start();
    system.ok(["image", "tag", "vminit:latest", "other-init:1"]);
    let run = |options: &[&'static str]| {
        [
            &["run", "--rm", "--progress", "none"],
            options,
            &["busybox", "echo", "ok"],
        ]
        .concat()
    };
    let text = system.ok(run(&[
        "--init-image",
        "other-init:1",
        "--os",
        "linux",
        "--runtime",
        "container-runtime-linux",
    ]));
    assert_eq!(text, "ok");
    for (options, error) in [
        (&["--os", "windows"][..], "Error: platform windows/amd64\n"),
        (&["--runtime", "nosuch"], "unable to locate runtime plugin nosuch"),
        (&["--rosetta"], "Error: --rosetta flag requires an arm64 host\n"),
        (&["--init-image", "127.0.0.1:1/no/init:1"], "127.0.0.1:1"),
    ] {
        let failed = system.fails(run(options));
        assert!(
            failed.stderr.contains(error) && failed.stdout.is_empty(),
            "{failed:?}"
        );
    }
    // Only real processors can be nested.
    let nested = system.run(run(&["--virtualization"]));
    let refused = "nested virtualization is not supported on the platform";
    assert!(nested.code == 0 || nested.stderr.contains(refused), "{nested:?}");
    assert_eq!(system.ok(["list", "-a", "-q"]), "");
}

#[test]
fn the_scratch_disk_has_the_journal_that_was_asked_for() {
    let system = System::start();
    system.ok([
        "run",
        "--name",
        "fast",
        "--journal",
        "writeback:8m",
        "busybox",
        "true",
    ]);
    let disk = system.bundle("fast").join("scratch.ext4");
    let described = std::process::Command::new("dumpe2fs")
        .arg(&disk)
        .output()
        .expect("dumpe2fs");
    let described = String::from_utf8_lossy(&described.stdout).into_owned();
    assert!(described.contains("journal_data_writeback"), "{described}");
    assert!(
        described
            .lines()
            .any(|line| line.starts_with("Total journal size:") && line.ends_with(" 8M")),
        "{described}"
    );
    let inspected = system.inspect("fast");
    assert_eq!(inspected["configuration"]["journal"]["mode"], "writeback");
}

/// Connects to a Unix socket, sends a line, and prints the answer.
const CONNECT: &str = r#"
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
int main(int count, char **words) {
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char text[100];
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    strncpy(address.sun_path, words[1], sizeof address.sun_path - 1);
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) { perror("connect"); return 1; }
    write(fd, "who is there?\n", 14);
    shutdown(fd, SHUT_WR);
    ssize_t length;
    while ((length = read(fd, text, sizeof text)) > 0)
        if (write(1, text, length) != length) return 2;
    return length < 0;
}
"#;

#[test]
fn the_ssh_agent_is_reachable() {
    let system = System::start();
    let connect = static_program(CONNECT);
    let path = system.home().join("agent");
    let listener = UnixListener::bind(&path).expect("a socket");
    let agent = std::thread::spawn(move || {
        for number in 1..=2 {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut question = String::new();
            stream.read_to_string(&mut question).expect("a question");
            assert_eq!(question, "who is there?\n");
            writeln!(stream, "agent {number}").expect("an answer");
        }
    });
    let with_agent = |arguments: &[&str]| {
        let mut command = system.command(arguments);
        command
            .env("SSH_AUTH_SOCK", &path)
            .stdin(std::process::Stdio::piped());
        container_tests::finish(command, &connect)
    };
    let script = "cat > /bin/connect; chmod +x /bin/connect; connect $SSH_AUTH_SOCK; echo $SSH_AUTH_SOCK; exec sleep 1000";
    let started = with_agent(&[
        "run", "-d", "-i", "--ssh", "--name", "keys", "busybox", "sh", "-c", script,
    ]);
    assert_eq!(started.code, 0, "{started:?}");
    container_tests::eventually(std::time::Duration::from_secs(20), "the first answer", || {
        system.ok(["logs", "keys"]) == "agent 1\n/var/host-services/ssh-auth.sock"
    });
    let asked = system.ok(["exec", "-u", "1000", "keys", "sh", "-c", "connect $SSH_AUTH_SOCK"]);
    assert_eq!(asked, "agent 2");
    agent.join().expect("the agent");
    system.ok(["stop", "-t", "0", "keys"]);
    // Without an agent there is nothing to forward, and nothing fails.
    system.ok(["start", "keys"]);
    assert_eq!(system.ok(["exec", "keys", "sh", "-c", "echo $SSH_AUTH_SOCK"]), "");
}

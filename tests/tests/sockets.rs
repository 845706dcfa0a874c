//! Unix sockets between the host and a container: `--publish-socket`, and `--volume` with a socket of the host.

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use container_tests::{System, eventually, signal, static_program};

const LIMIT: Duration = Duration::from_secs(60);

/// Copies a program into a running container.
#[track_caller]
fn put(system: &System, id: &str, path: &str, program: &[u8]) {
    let script = format!("cat >{path}; chmod 755 {path}");
    let copied = system.run_with_input(["exec", "-i", id, "sh", "-c", &script], program);
    assert_eq!(copied.code, 0, "{copied:?}");
}

/// What is answered behind a socket to `question`, whose end is a half-close.
fn ask(path: &Path, question: &str) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(question.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn published_sockets_lead_to_what_processes_see() {
    let system = System::start();
    let host = system.home().join("new/echo.sock");
    // Relative to the caller's directory, which is the home directory. In the container a link leads into a file system
    // that only its processes have.
    system.ok([
        "run",
        "-d",
        "--name",
        "echo",
        "--tmpfs",
        "/run",
        "--publish-socket",
        "new/echo.sock:/var/run/echo.sock",
        "busybox",
        "sh",
        "-c",
        "ln -sf /run /var/run; while [ ! -x /echo ]; do sleep 0.1; done; exec /echo unix /run/echo.sock",
    ]);
    let published = &system.inspect("echo")["configuration"]["publishedSockets"][0];
    assert_eq!(published["hostPath"], host.to_str().expect("UTF-8"));
    let program = static_program(include_str!("../data/echo.c"));
    put(&system, "echo", "/echo", &program);
    eventually(LIMIT, "an answer", || {
        ask(&host, "hello").is_ok_and(|answer| answer == "heard hello")
    });
    std::thread::scope(|scope| {
        for number in 0..20 {
            let host = &host;
            scope.spawn(move || {
                let answer = ask(host, &number.to_string()).expect("an answer");
                assert_eq!(answer, format!("heard {number}"));
            });
        }
    });

    let option = format!("{}:/x", host.display());
    let refused = system.fails(["create", "--publish-socket", &option, "busybox"]);
    let text = format!("host socket {} already exists and may be in use", host.display());
    assert!(refused.stderr.contains(&text), "{refused:?}");

    system.ok(["stop", "-t", "0", "echo"]);
    assert!(!host.exists(), "the socket ends with the container");
    assert!(host.parent().is_some_and(Path::is_dir));

    // One that a killed helper left is no hindrance; a file of the user's is one, and stays.
    system.ok(["start", "echo"]);
    assert!(host.exists());
    signal("KILL", system.processes("container-runtime-linux start")[0]);
    eventually(LIMIT, "the container's end", || system.state("echo") == "stopped");
    assert!(host.exists(), "nobody removed it");
    system.ok(["start", "echo"]);
    // It runs from the start of the process on, so this needs no second program.
    eventually(LIMIT, "an answer", || {
        ask(&host, "again").is_ok_and(|answer| answer == "heard again")
    });
    system.ok(["stop", "-t", "0", "echo"]);
    fs::write(&host, "mine").expect("a file");
    let refused = system.fails(["start", "echo"]);
    let text = format!("failed to publish a socket at {}", host.display());
    assert!(refused.stderr.contains(&text), "{refused:?}");
    let refused = system.fails(["create", "--publish-socket", &option, "busybox"]);
    assert!(
        refused.stderr.contains("exists and is not a socket"),
        "{refused:?}"
    );
    assert_eq!(fs::read_to_string(&host).expect("the file"), "mine");
}

/// Says its question to the socket that it is given, and prints the answer.
const ASK: &str = r#"
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
int main(int count, char **words) {
  struct sockaddr_un peer = {.sun_family = AF_UNIX};
  char text[1000];
  ssize_t got;
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  strncpy(peer.sun_path, words[1], sizeof peer.sun_path - 1);
  if (connect(fd, (void *)&peer, sizeof peer)) return perror("connect"), 1;
  write(fd, words[2], strlen(words[2]));
  shutdown(fd, SHUT_WR);
  while ((got = read(fd, text, sizeof text)) > 0) write(1, text, got);
  return 0;
}
"#;

#[test]
fn sockets_of_the_host_are_mounted() {
    let system = System::start();
    let path = system.home().join("host.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("its permissions");
    let server = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut question = String::new();
            stream.read_to_string(&mut question).expect("a question");
            writeln!(stream, "host heard {question}").expect("an answer");
        }
    });
    system.ok([
        "run",
        "-d",
        "--name",
        "asks",
        "-v",
        "./host.sock:/sockets/a.sock",
        "busybox",
        "sleep",
        "1000",
    ]);
    put(&system, "asks", "/ask", &static_program(ASK));
    assert_eq!(
        system.ok(["exec", "asks", "stat", "-c", "%a %F", "/sockets/a.sock"]),
        "640 socket"
    );
    for question in ["one", "two"] {
        let answer = system.ok(["exec", "asks", "/ask", "/sockets/a.sock", question]);
        assert_eq!(answer, format!("host heard {question}"));
    }
    server.join().expect("the server");
    system.ok(["stop", "-t", "0", "asks"]);
    assert!(path.exists(), "it is the user's");
}

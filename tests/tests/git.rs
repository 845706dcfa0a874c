//! A repository of many files, cloned in a container from a directory of the host and over the network.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use container_tests::{DEBIAN, System, eventually, finish, wait_at_most};

const FILES: usize = 1500;
/// The names and contents of a tree, in one number; without what git keeps of its own.
const SUM: &str =
    "find . -path ./.git -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 sha1sum | sha1sum";

#[track_caller]
fn shell(directory: &Path, script: &str) -> String {
    let mut command = Command::new("sh");
    command
        .args(["-ec", script])
        .current_dir(directory)
        .env("GIT_CONFIG_GLOBAL", "/dev/null");
    let finished = finish(command, b"");
    assert_eq!(finished.code, 0, "{script}: {finished:?}");
    finished.stdout.trim_end().to_owned()
}

/// Makes a repository with two packs and some objects that are in neither.
fn make_repository(at: &Path) {
    let write = |numbers: std::ops::Range<usize>, text: &str| {
        for number in numbers {
            let directory = at.join(format!("d{}/e{}", number % 40, number % 7));
            fs::create_dir_all(&directory).expect("a directory");
            let content = format!("{text} {number}\n").repeat(number % 50 + 1);
            fs::write(directory.join(number.to_string()), content).expect("a file");
        }
    };
    let commit = "git add -A; git -c user.name=t -c user.email=t@example.com commit -qm more; ";
    fs::create_dir(at).expect("a directory");
    shell(at, "git init -q -b main .");
    for (numbers, pack) in [
        (0..FILES, "git repack -dq"),
        (0..FILES / 4, "git repack -dq"),
        (0..200, ":"),
    ] {
        write(numbers.clone(), &format!("until {}", numbers.end));
        shell(at, &format!("{commit}{pack}"));
    }
}

/// A server that ends with the test.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        // Its own process, which git starts, ends when it is asked to.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        wait_at_most(&mut self.0, Duration::from_secs(10));
    }
}

fn serve(directory: &Path) -> (Daemon, u16) {
    let port = TcpListener::bind("0.0.0.0:0")
        .expect("a port")
        .local_addr()
        .expect("its number")
        .port();
    let program = shell(directory, "git --exec-path") + "/git-daemon";
    let child = Command::new(program)
        .args(["--export-all", "--reuseaddr", &format!("--port={port}")])
        .arg(format!("--base-path={}", directory.display()))
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .stderr(Stdio::null())
        .spawn()
        .expect("git daemon");
    let daemon = Daemon(child);
    eventually(Duration::from_secs(20), "git daemon", || {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    (daemon, port)
}

#[test]
fn clones_are_equal_wherever_they_are() {
    let system = System::start().with_debian();
    let home = system.home();
    make_repository(&home.join("repository"));
    let (_daemon, port) = serve(home);
    fs::create_dir(home.join("host")).unwrap();
    let options = [
        "-m",
        "768m",
        "-v",
        "./repository:/repository:ro",
        "-v",
        "./host:/host",
        "-v",
        "data:/volume",
    ];
    system.idle("git", DEBIAN, &options);

    let tree = shell(&home.join("repository"), "git rev-parse 'HEAD^{tree}'");
    let sum = shell(&home.join("repository"), SUM);
    let network = format!("git://host.container.internal:{port}/repository");
    for (source, target) in [
        ("/repository", "/root"),
        (&network, "/volume"),
        ("file:///repository", "/host"),
    ] {
        let script = format!(
            "set -e; git clone -q {source} {target}/clone; cd {target}/clone; git status --porcelain; \
             git fsck --strict 2>&1; git rev-parse 'HEAD^{{tree}}'; {SUM}"
        );
        assert_eq!(
            system.shell("git", &script),
            format!("{tree}\n{sum}"),
            "{source} in {target}"
        );
    }
    // What the container made is a repository for the host, too.
    let host = home.join("host/clone");
    assert_eq!(shell(&host, SUM), sum);
    assert_eq!(shell(&host, "git status --porcelain; git fsck --strict 2>&1"), "");
}

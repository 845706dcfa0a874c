//! Programs in containers that watch the host's files are told what is changed on the host.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use container_tests::{System, static_program};

/// Prints what happens to its arguments: the argument, a blank, the name in the directory, a blank and the event.
const WATCHER: &str = r#"
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>
static const struct { unsigned bit; const char *name; } kinds[] = {
    {IN_MODIFY, "modify"}, {IN_CLOSE_WRITE, "close_write"}, {IN_ATTRIB, "attrib"}, {IN_CREATE, "create"},
    {IN_DELETE, "delete"}, {IN_MOVED_FROM, "moved_from"}, {IN_MOVED_TO, "moved_to"}, {IN_DELETE_SELF, "delete_self"},
};
int main(int count, char **paths) {
    int fd = inotify_init();
    for (int i = 1; i < count; i++)
        if (inotify_add_watch(fd, paths[i], IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVE |
                              IN_DELETE_SELF) != i) return 1;
    puts("ready");
    fflush(stdout);
    _Alignas(struct inotify_event) char buffer[65536];
    for (long length; (length = read(fd, buffer, sizeof buffer)) > 0;) {
        for (char *at = buffer; at < buffer + length;) {
            struct inotify_event *event = (void *)at;
            for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++)
                if (event->mask & kinds[i].bit)
                    printf("%s %s %s%s\n", paths[event->wd], event->len ? event->name : "", kinds[i].name,
                           event->mask & IN_ISDIR ? " dir" : "");
            at += sizeof *event + event->len;
        }
        fflush(stdout);
    }
}
"#;
/// How long the news of a change may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
/// Longer than any news takes.
const QUIET: Duration = Duration::from_secs(3);

/// A watcher in a container.
struct Watcher {
    program: Child,
    lines: Receiver<String>,
}

impl Watcher {
    /// Runs the program `/tool/watch` in the container `web`.
    fn start(system: &System, paths: &[&str]) -> Self {
        let mut command = system.command(["exec", "web", "/tool/watch"].iter().chain(paths));
        let mut program = command.stdout(Stdio::piped()).spawn().expect("a watcher");
        let output = BufReader::new(program.stdout.take().expect("its output"));
        let (send, lines) = channel();
        std::thread::spawn(move || {
            let lines = output.split(b'\n').map_while(Result::ok);
            lines
                .map(|line| String::from_utf8_lossy(&line).into_owned())
                .try_for_each(|line| send.send(line))
        });
        let watcher = Self { program, lines };
        watcher.expect(&["ready"]);
        watcher
    }

    /// Waits until all of `expected` were told, in this order; what else is told between is returned.
    fn expect(&self, expected: &[&str]) -> Vec<String> {
        let end = Instant::now() + LIMIT;
        let mut told = Vec::new();
        for line in expected {
            loop {
                let left = end.saturating_duration_since(Instant::now());
                let next = self.lines.recv_timeout(left);
                let next = next.unwrap_or_else(|_| panic!("'{line}' was not told, but {told:#?}"));
                let found = next == *line;
                told.push(next);
                if found {
                    break;
                }
            }
        }
        told.retain(|line| !expected.contains(&line.as_str()));
        told
    }

    /// Everything that is told until nothing is told any more.
    fn rest(&self) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            match self.lines.recv_timeout(QUIET) {
                Ok(line) => told.push(line),
                Err(RecvTimeoutError::Timeout) => return told,
                Err(RecvTimeoutError::Disconnected) => panic!("the watcher ended after {told:#?}"),
            }
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// A container `web` with the directory `src` of the host at `/src` and the watcher at `/tool`.
fn container(system: &System, more: &[&str]) -> PathBuf {
    let (source, tool) = (system.home().join("src"), system.home().join("tool"));
    fs::create_dir_all(source.join("lib/deep")).expect("a directory");
    fs::create_dir_all(&tool).expect("a directory");
    fs::write(tool.join("watch"), static_program(WATCHER)).expect("the watcher");
    fs::set_permissions(tool.join("watch"), fs::Permissions::from_mode(0o755)).expect("a program");
    let run = [
        "run",
        "-d",
        "--name",
        "web",
        "-v",
        "./src:/src",
        "-v",
        "./tool:/tool:ro",
    ];
    system.ok(run.iter().chain(more).chain(&["busybox", "sleep", "1000"]));
    source
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).open(path).expect("a file");
    file.write_all(text.as_bytes()).expect("a write");
}

fn times(path: &Path) -> (i64, i64, i64, i64) {
    let stat = fs::symlink_metadata(path).expect("a file");
    (stat.mtime(), stat.mtime_nsec(), stat.ctime(), stat.ctime_nsec())
}

#[test]
fn every_change_on_the_host_is_told() {
    let system = System::start();
    fs::create_dir_all(system.home().join("src/lib")).unwrap();
    fs::write(system.home().join("src/lib/index.js"), "1\n").unwrap();
    fs::write(system.home().join("one.conf"), "1\n").unwrap();
    let source = container(
        &system,
        &["-v", "./one.conf:/etc/one.conf", "-v", "./src/lib:/ro:ro"],
    );
    let paths = ["/src", "/src/lib", "/src/lib/index.js", "/etc/one.conf", "/ro"];
    let watcher = Watcher::start(&system, &paths);

    let file = source.join("lib/index.js");
    append(&file, "2\n");
    let before = times(&file);
    // Once in each of the places where it is shared.
    watcher.expect(&[
        "/src/lib index.js modify",
        "/src/lib index.js close_write",
        "/ro index.js modify",
        "/ro index.js close_write",
    ]);
    assert_eq!(watcher.rest(), Vec::<String>::new());
    assert_eq!(times(&file), before, "nothing is done to the host's file");
    assert_eq!(fs::read_to_string(&file).unwrap(), "1\n2\n");
    assert_eq!(system.ok(["exec", "web", "cat", "/src/lib/index.js"]), "1\n2");

    append(&system.home().join("one.conf"), "2\n");
    watcher.expect(&["/etc/one.conf  modify", "/etc/one.conf  close_write"]);

    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    watcher.expect(&["/src/lib index.js attrib"]);

    fs::write(source.join("new"), "x").unwrap();
    watcher.expect(&["/src new create", "/src new close_write"]);
    fs::create_dir(source.join("dir")).unwrap();
    std::os::unix::fs::symlink("new", source.join("link")).unwrap();
    watcher.expect(&["/src dir create dir", "/src link create"]);
    fs::rename(source.join("dir"), source.join("renamed")).unwrap();
    watcher.expect(&["/src dir moved_from dir", "/src renamed moved_to dir"]);
    fs::remove_dir(source.join("renamed")).unwrap();
    fs::remove_file(source.join("link")).unwrap();
    watcher.expect(&["/src renamed delete dir", "/src link delete"]);
    fs::rename(source.join("new"), source.join("lib/new")).unwrap();
    watcher.expect(&["/src new moved_from", "/src/lib new moved_to"]);

    // As editors save: whoever watches the file itself hears that it is another one.
    fs::write(source.join("lib/.index.js.tmp"), "3\n").unwrap();
    fs::rename(source.join("lib/.index.js.tmp"), &file).unwrap();
    watcher.expect(&["/src/lib index.js moved_to", "/src/lib/index.js  delete_self"]);
    assert_eq!(system.ok(["exec", "web", "cat", "/src/lib/index.js"]), "3");

    fs::remove_file(&file).unwrap();
    watcher.expect(&["/src/lib index.js delete"]);
    // The host has it again before anybody in the guest looked.
    fs::write(&file, "4\n").unwrap();
    watcher.expect(&["/src/lib index.js create", "/src/lib index.js close_write"]);
    assert_eq!(system.ok(["exec", "web", "cat", "/src/lib/index.js"]), "4");
    let mut told = watcher.rest();
    // The same file, where it is shared once more.
    told.retain(|line| !line.starts_with("/ro "));
    assert_eq!(told, Vec::<String>::new(), "no change causes another one");

    // Names are bytes, and trees may come at once.
    fs::create_dir_all(source.join("lib/a/b")).unwrap();
    let odd = std::ffi::OsStr::from_bytes(b"\xff \n");
    fs::write(source.join("lib").join(odd), "").unwrap();
    watcher.expect(&["/src/lib a create dir"]);
    assert_eq!(system.ok(["exec", "web", "ls", "/src/lib/a"]), "b");
    fs::remove_dir_all(source.join("lib/a")).unwrap();
    watcher.expect(&["/src/lib a delete dir"]);
}

#[test]
fn the_containers_own_changes_are_told_once() {
    let system = System::start();
    let source = container(&system, &[]);
    fs::write(source.join("kept"), "1\n").unwrap();
    let watcher = Watcher::start(&system, &["/src"]);
    let shell = "cd /src; echo 1 > own; echo 2 >> own; mkdir dir; mv own moved; chmod 600 moved; rm moved; rmdir dir; \
                 ln -s x link; touch kept; echo 2 >> kept";
    system.ok(["exec", "web", "sh", "-c", shell]);
    let told = watcher.rest();
    let count = |what: &str| told.iter().filter(|line| *line == what).count();
    for once in [
        "/src own create",
        "/src dir create dir",
        "/src own moved_from",
        "/src moved moved_to",
        "/src moved delete",
        "/src dir delete dir",
        "/src link create",
        "/src kept modify",
    ] {
        assert_eq!(count(once), 1, "{once}: {told:#?}");
    }
    assert_eq!(count("/src own modify"), 2, "{told:#?}");
    assert_eq!(count("/src own close_write"), 2, "{told:#?}");
    // The host's change of the same files afterwards is news.
    append(&source.join("kept"), "3\n");
    watcher.expect(&["/src kept modify"]);
    fs::write(source.join("own"), "").unwrap();
    watcher.expect(&["/src own create"]);
    assert_eq!(
        watcher
            .rest()
            .iter()
            .filter(|line| line.contains("create"))
            .count(),
        0
    );
}

#[test]
fn an_ordinary_users_containers_are_told() {
    let system = System::start_in_user_namespace();
    let source = container(&system, &[]);
    fs::write(source.join("old"), "1\n").unwrap();
    // A user of the container, whose files are the host's user's outside.
    system.ok([
        "exec",
        "web",
        "sh",
        "-c",
        "echo 1 > /src/given; chown 33:44 /src/given",
    ]);
    let watcher = Watcher::start(&system, &["/src"]);
    append(&source.join("given"), "2\n");
    watcher.expect(&["/src given modify"]);
    fs::rename(source.join("old"), source.join("given")).unwrap();
    watcher.expect(&["/src old moved_from", "/src given moved_to"]);
    fs::remove_file(source.join("given")).unwrap();
    fs::create_dir(source.join("given")).unwrap();
    watcher.expect(&["/src given delete", "/src given create dir"]);
    assert_eq!(watcher.rest(), Vec::<String>::new());
}

#[test]
fn a_large_tree_holds_nothing_up_and_is_watched() {
    let system = System::start();
    let source = system.home().join("src");
    for number in 0..10_000 {
        let directory = source.join(format!("packages/{}/{}", number / 100, number / 10));
        fs::create_dir_all(&directory).unwrap();
        File::create(directory.join(number.to_string())).unwrap();
    }
    container(&system, &[]);
    let watcher = Watcher::start(&system, &["/src/packages/99/999", "/src/lib"]);
    append(&source.join("packages/99/999/9999"), "x");
    watcher.expect(&["/src/packages/99/999 9999 modify"]);
    // More than is announced at a time: none is left out.
    for number in 0..600 {
        File::create(source.join(format!("lib/{number}"))).unwrap();
    }
    watcher.expect(&["/src/lib 0 create", "/src/lib 599 create"]);
    // The news takes no longer than what a person notices.
    let began = Instant::now();
    append(&source.join("lib/7"), "x");
    watcher.expect(&["/src/lib 7 modify"]);
    let took = began.elapsed();
    println!("told after {} ms", took.as_millis());
    assert!(took < Duration::from_secs(5), "{took:?}");
}

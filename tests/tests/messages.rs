//! What commands about containers print, word for word (behaviour reference, appendices A and B): a transcript in
//! `tests/data/container`.

use std::fmt::Write;

use container_tests::{System, assert_golden};

/// A command a line, in order.
const COMMANDS: &str = "
prune
create --name one busybox sleep 1000
create --name one busybox
create --name -x busybox
create --name two --memory 1m busybox
create --name two -l x=y busybox true
list
list -q
list -a -q
start one
start one
start nobody
start -a one
exec one echo text
exec one false
exec -d one true
exec nobody true
exec two true
rename one three
delete one
delete
delete one --all
prune
stop
stop one --all
stop -t -1 one
stop one
stop one
kill
kill one
kill -s NOSUCH one
inspect one nobody also
logs two
logs nobody
restart nobody
wait nobody
stats --no-stream
stats --no-stream nobody
top one
pause one
unpause nobody
port one
port one 80
attach one
export nobody
diff nobody
commit nobody
copy one:/etc/passwd two:/x
copy here there
update one
delete one
delete nobody
prune
";

#[test]
fn what_commands_print() {
    let system = System::start();
    let mut transcript = String::new();
    for line in COMMANDS.trim().lines() {
        let finished = system.run(line.split(' '));
        let _ = writeln!(transcript, "$ container {line}");
        for (name, text) in [("", &finished.stdout), ("! ", &finished.stderr)] {
            for line in text.lines() {
                let _ = writeln!(transcript, "{name}{}", sizes_aside(line));
            }
        }
        if finished.code != 0 {
            let _ = writeln!(transcript, "? {}", finished.code);
        }
    }
    assert_golden("container/messages.txt", &transcript);
}

/// What a deleted container took depends on the file system's blocks.
fn sizes_aside(line: &str) -> String {
    match line.strip_prefix("Reclaimed ") {
        Some(rest) if rest.starts_with(|digit: char| digit.is_ascii_digit()) => {
            "Reclaimed <size> in disk space".to_owned()
        }
        _ => line.to_owned(),
    }
}

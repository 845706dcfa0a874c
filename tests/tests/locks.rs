//! Locks of files that several containers, and the host, use at the same time.

use std::fs::{self, File};
use std::process::Stdio;
use std::time::Duration;

use container_tests::{DEBIAN, System, eventually, signal, wait_at_most};
use rustix::fs::{FlockOperation, flock};

/// Emulated machines, and programs that take turns.
const LIMIT: Duration = Duration::from_secs(100);

/// Two containers that have `volume` at `/d`, and the programs `count` and `fill`.
fn pair(system: &System, names: [&str; 2], volume: &str) {
    for (name, program) in [("count.py", COUNT), ("fill.py", FILL)] {
        fs::write(system.home().join(name), program).unwrap();
    }
    let volume = format!("{volume}:/d");
    let programs = ["-v", "./count.py:/count.py:ro", "-v", "./fill.py:/fill.py:ro"];
    for name in names {
        let options = [&["-m", "512m", "-v", &volume], &programs[..]].concat();
        system.idle(name, DEBIAN, &options);
    }
}

/// Runs a script in both at the same time, which is given the container's name.
fn both(system: &System, names: [&str; 2], script: &str) {
    let running = names.map(|name| {
        let mut command = system.command(["exec", name, "sh", "-c", script, "sh", name]);
        command.stdout(Stdio::null()).spawn().expect("a client")
    });
    for mut client in running {
        assert_eq!(wait_at_most(&mut client, LIMIT), 0, "{script}");
    }
}

/// Counts in a file that stays open, under locks of one kind.
const COUNT: &str = r"
import fcntl, os, sys
kind = getattr(fcntl, sys.argv[1])
file = os.open(sys.argv[2], os.O_RDWR)
for _ in range(int(sys.argv[3])):
    kind(file, fcntl.LOCK_EX)
    number = int(os.pread(file, 20, 0))
    os.pwrite(file, str(number + 1).encode(), 0)
    kind(file, fcntl.LOCK_UN)
";

/// Fills a table of a database that others fill, too.
const FILL: &str = r"
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], timeout=90)
database.execute('create table if not exists t (writer text, number int, text text)')
for number in range(15):
    with database:
        database.execute('begin immediate')
        total = database.execute('select count(*) from t').fetchone()[0]
        database.execute('insert into t values (?, ?, ?)', (sys.argv[2], total, 'x' * 3000))
";

#[test]
fn containers_exclude_each_other() {
    let system = System::start().with_debian();
    system.ok(["volume", "create", "--opt", "type=shared", "shared"]);
    fs::create_dir(system.home().join("host")).unwrap();
    let shared = system.app_root().join("volumes/shared/data");
    for (volume, directory, names) in [
        ("shared", shared, ["one", "two"]),
        ("./host", system.home().join("host"), ["three", "four"]),
    ] {
        pair(&system, names, volume);
        for kind in ["flock", "lockf"] {
            fs::write(directory.join("count"), "0").unwrap();
            both(&system, names, &format!("python3 /count.py {kind} /d/count 200"));
            let counted = fs::read_to_string(directory.join("count")).unwrap();
            assert_eq!(counted, "400", "{kind} in {volume}");
        }
        both(&system, names, "python3 /fill.py /d/database $1");
        let check = "python3 -c \"import sqlite3; d = sqlite3.connect('/d/database'); \
                     print(d.execute('select count(*), count(distinct number), count(distinct writer) from t').fetchone(), \
                     d.execute('pragma integrity_check').fetchone())\"";
        assert_eq!(system.shell(names[0], check), "(30, 30, 2) ('ok',)", "{volume}");
        system.ok(["rm", "-f", names[0], names[1]]);
    }
}

#[test]
fn a_file_is_counted_in_under_the_lock_of_another() {
    let system = System::start().with_debian();
    system.ok(["volume", "create", "--opt", "type=shared", "shared"]);
    let directory = system.app_root().join("volumes/shared/data");
    fs::write(directory.join("count"), "0\n").unwrap();
    pair(&system, ["one", "two"], "shared");
    let script = "cd /d; i=0; while [ $i -lt 40 ]; do i=$((i+1)); \
                  flock lock sh -c 'echo $(($(cat count) + 1)) > count' || exit 1; done";
    both(&system, ["one", "two"], script);
    assert_eq!(fs::read_to_string(directory.join("count")).unwrap(), "80\n");
}

#[test]
fn whoever_waits_gets_signals_and_locks_end_with_their_machine() {
    let system = System::start().with_debian();
    let directory = system.home().join("host");
    fs::create_dir(&directory).unwrap();
    pair(&system, ["one", "two"], "./host");
    let try_lock = |name: &str| system.run(["exec", name, "flock", "-n", "/d/file", "true"]).code;

    // The host's own programs are others, too.
    let file = File::create(directory.join("file")).unwrap();
    flock(&file, FlockOperation::LockExclusive).unwrap();
    assert_eq!(try_lock("one"), 1);
    // An alarm, and a signal that nobody can catch.
    for (script, code) in [
        ("flock -w 1 /d/file true", 1),
        ("timeout -s KILL 1 flock /d/file true", 137),
    ] {
        let ended = system.run(["exec", "one", "sh", "-c", script]);
        assert_eq!(ended.code, code, "{script}: {ended:?}");
    }
    flock(&file, FlockOperation::Unlock).unwrap();
    assert_eq!(try_lock("one"), 0);

    let hold = "echo 'import fcntl, time; f = open(\"/d/file\", \"r+\"); fcntl.flock(f, 2); fcntl.lockf(f, 2); \
                open(\"/d/held\", \"w\"); time.sleep(1000)' | python3 -";
    system.ok(["exec", "-d", "one", "sh", "-c", hold]);
    eventually(LIMIT, "the locks", || directory.join("held").exists());
    assert_eq!(try_lock("two"), 1);
    let processes = system.processes("qemu");
    signal("KILL", *processes.iter().min().expect("a machine"));
    eventually(LIMIT, "the end of one of the machines", || {
        system.state("one") == "stopped"
    });
    let take = "import fcntl; f = open('/d/file', 'r+'); fcntl.flock(f, 6); fcntl.lockf(f, 6)";
    system.ok(["exec", "two", "python3", "-c", take]);
}

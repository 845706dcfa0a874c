//! Real programs on volumes and on directories of the host: databases whose machine is killed, trees of many files,
//! and what modes and owners mean.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, chown};
use std::process::{Command, Stdio};
use std::time::Duration;

use container_tests::{DEBIAN, System, eventually, finish, signal, wait_at_most};

/// How long a server may take to come up; emulation is slow, and a database is no small program.
const LIMIT: Duration = Duration::from_secs(90);

/// Files in a directory of the host; another number with `CONTAINER_TEST_FILES`.
const FILES: usize = 10_000;

/// Starts a container that `create` made, and waits until `question` is answered in it.
#[track_caller]
fn start(system: &System, name: &str, question: &str) {
    system.ok(["start", name]);
    eventually(LIMIT, name, || {
        system.run(["exec", name, "sh", "-c", question]).code == 0
    });
}

/// Kills the machine once `script`, which runs in the container, has printed `enough` lines. Gives all that it printed.
#[track_caller]
fn printed_until_killed(system: &System, name: &str, script: &str, enough: usize) -> Vec<String> {
    let mut client = system
        .command(["exec", name, "sh", "-c", script])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a client");
    let mut printed = Vec::new();
    for line in BufReader::new(client.stdout.take().expect("its output")).lines() {
        printed.push(line.expect("UTF-8"));
        if printed.len() == enough {
            signal("KILL", *system.processes("qemu").first().expect("a machine"));
        }
    }
    wait_at_most(&mut client, LIMIT);
    assert!(printed.len() >= enough, "{printed:?}");
    eventually(LIMIT, "the container to be stopped", || {
        system.state(name) == "stopped"
    });
    printed
}

/// The file system's own checker finds nothing to repair.
#[track_caller]
fn assert_clean(system: &System, volume: &str) {
    let mut check = Command::new("e2fsck");
    let disk = system.app_root().join("volumes").join(volume).join("volume.img");
    check.arg("-fn").arg(disk);
    let checked = finish(check, b"");
    assert_eq!(checked.code, 0, "{checked:?}");
}

#[test]
fn postgres_keeps_what_it_committed() {
    let system = System::start().with_debian();
    let server = "export PATH=$PATH:/usr/lib/postgresql/15/bin; chown postgres /pg; \
                  [ -e /pg/PG_VERSION ] || su -m postgres -c 'initdb -k -A trust -D /pg' || exit 1; \
                  exec su -m postgres -c 'postgres -D /pg -k /tmp'";
    system.ok([
        "create", "--name", "pg", "-m", "512m", "-v", "pg:/pg", DEBIAN, "sh", "-c", server,
    ]);
    let query = |sql: &str| system.ok(["exec", "pg", "psql", "-h", "/tmp", "-U", "postgres", "-Atc", sql]);
    let up = "psql -h /tmp -U postgres -c 'select 1'";
    start(&system, "pg", up);
    system.ok([
        "exec", "pg", "pgbench", "-h", "/tmp", "-U", "postgres", "-i", "-q", "postgres",
    ]);
    query("create table kept (number int)");
    system.ok([
        "exec", "-d", "pg", "pgbench", "-h", "/tmp", "-U", "postgres", "-n", "-c", "2", "-T", "600",
        "postgres",
    ]);
    let insert = "number=0; while psql -qh /tmp -U postgres -c \"insert into kept values ($number)\"; do \
                  echo $number; number=$((number + 1)); done";
    let acknowledged = printed_until_killed(&system, "pg", insert, 15);

    start(&system, "pg", up);
    let kept: usize = query("select count(distinct number) from kept").parse().unwrap();
    // The last one may have been committed without anybody having heard of it.
    assert!(
        kept == acknowledged.len() || kept == acknowledged.len() + 1,
        "{kept} of {}",
        acknowledged.len()
    );
    // Every transaction of the bench adds the same to all four tables, or to none.
    let sums = "select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history), \
                (select sum(tbalance) from pgbench_tellers) = (select sum(delta) from pgbench_history), \
                (select sum(bbalance) from pgbench_branches) = (select sum(delta) from pgbench_history)";
    assert_eq!(query(sums), "t|t|t");
    system.ok(["stop", "-t", "60", "-s", "INT", "pg"]);
    assert_clean(&system, "pg");
}

#[test]
fn redis_keeps_what_it_acknowledged() {
    let system = System::start().with_debian();
    system.ok([
        "create",
        "--name",
        "redis",
        "-m",
        "512m",
        "-v",
        "redis:/data",
        DEBIAN,
        "redis-server",
        "--dir",
        "/data",
        "--appendonly",
        "yes",
        "--appendfsync",
        "always",
    ]);
    let up = "redis-cli ping | grep PONG";
    let mut last = 0;
    for _ in 0..2 {
        start(&system, "redis", up);
        let count = "while redis-cli incr count; do :; done";
        let acknowledged = printed_until_killed(&system, "redis", count, 30);
        let numbers: Vec<u64> = acknowledged.iter().map_while(|line| line.parse().ok()).collect();
        assert_eq!(
            numbers.first(),
            Some(&(last + 1)),
            "what was acknowledged before: {acknowledged:?}"
        );
        start(&system, "redis", up);
        let kept: u64 = system
            .ok(["exec", "redis", "redis-cli", "get", "count"])
            .parse()
            .unwrap();
        let told = *numbers.last().expect("numbers");
        assert!(kept == told || kept == told + 1, "{kept} after {told}");
        last = kept;
        system.ok(["stop", "redis"]);
    }
    assert_clean(&system, "redis");
}

/// Four processes that write to one database, in both kinds of journal.
const SQLITE: &str = r"
import os, sqlite3, sys
for journal in ('delete', 'wal'):
    path = os.path.join(sys.argv[1], journal)
    def connect():
        return sqlite3.connect(path, timeout=60)
    first = connect()
    assert first.execute('pragma journal_mode=' + journal).fetchone() == (journal,)
    first.execute('create table t (writer int, number int, text text)')
    first.commit()
    first.close()
    writers = []
    for writer in range(4):
        child = os.fork()
        if child == 0:
            database = connect()
            for number in range(10):
                with database:
                    database.execute('begin immediate')
                    database.execute('insert into t values (?, ?, ?)', (writer, number, 'x' * 5000))
            os._exit(0)
        writers.append(child)
    assert [os.waitpid(child, 0)[1] for child in writers] == [0] * 4
    database = connect()
    print(journal, database.execute('select count(distinct writer * 100 + number) from t').fetchone()[0],
        database.execute('pragma integrity_check').fetchone()[0])
";

#[test]
fn sqlite_on_a_volume_and_on_a_directory_of_the_host() {
    let system = System::start().with_debian();
    fs::create_dir(system.home().join("host")).unwrap();
    fs::write(system.home().join("sqlite.py"), SQLITE).unwrap();
    let both = "for at in /host /volume; do python3 /sqlite.py $at || exit 1; done";
    let printed = system.ok([
        "run",
        "--rm",
        "-m",
        "512m",
        "-v",
        "./host:/host",
        "-v",
        "data:/volume",
        "-v",
        "./sqlite.py:/sqlite.py:ro",
        DEBIAN,
        "sh",
        "-c",
        both,
    ]);
    let wanted = ["delete 40 ok", "wal 40 ok"].repeat(2);
    assert_eq!(printed.lines().collect::<Vec<_>>(), wanted);
    assert_clean(&system, "data");
}

#[test]
fn a_directory_of_many_files() {
    let count = std::env::var("CONTAINER_TEST_FILES").map_or(FILES, |text| text.parse().expect("a number"));
    let system = System::start();
    let source = system.home().join("src");
    for number in 0..count {
        let directory = source.join((number / 100).to_string());
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(number.to_string()), format!("{number}\n")).unwrap();
    }
    // Names and sizes of all, what is in some, and a copy and a removal of others.
    let shell = "cd /src; ls -lR | grep -c '^-'; cat [1-9]/* | awk '{ s += $1 } END { print s }'; \
                 cp -a 0 copy; rm -r 1; find . -type f | wc -l";
    let ran = system.ok(["run", "--rm", "-v", "./src:/src", "busybox", "sh", "-c", shell]);
    let sum: usize = (100..count.min(1000)).sum();
    assert_eq!(ran, format!("{count}\n{sum}\n{count}"));
    assert!(!source.join("1").exists());
    assert_eq!(fs::read_to_string(source.join("copy/99")).unwrap(), "99\n");
}

#[test]
fn a_host_that_allows_few_open_files_is_an_error_in_the_guest() {
    const LIMIT: usize = 1024;
    // Not the system's root, which could raise its limits.
    let system = System::start_in_user_namespace();
    let source = system.home().join("src");
    fs::create_dir(&source).unwrap();
    for number in 0..2 * LIMIT {
        fs::write(source.join(number.to_string()), "x\n").unwrap();
    }
    let mut limit = Command::new("prlimit");
    let server = *system.processes("container-apiserver").first().expect("a server");
    limit
        .arg(format!("--nofile={LIMIT}:{LIMIT}"))
        .args(["--pid", &server.to_string()]);
    assert_eq!(finish(limit, b"").code, 0);
    system.idle("web", "busybox", &["--privileged", "-v", "./src:/src"]);
    // Every file that the guest knows takes a descriptor of an ordinary user's server. A list has all names all the same.
    let list = "set -- /src/*; echo $#; ls /src >/dev/null 2>&1 || echo more is an error; \
                echo 2 > /proc/sys/vm/drop_caches";
    let listed = system.shell("web", list);
    assert_eq!(listed, format!("{}\nmore is an error", 2 * LIMIT));
    let all = system.run(["exec", "web", "sh", "-c", "cat /src/* >/dev/null"]);
    assert_ne!(all.code, 0, "{}", all.stderr);
    assert!(all.stderr.contains("Too many open files"), "{}", all.stderr);
    // The guest lives, and what it forgets is free again.
    let forget = "echo 2 > /proc/sys/vm/drop_caches; cat /src/7 && echo y > /src/8 && rm /src/9";
    assert_eq!(system.ok(["exec", "web", "sh", "-c", forget]), "x");
    assert_eq!(fs::read_to_string(source.join("8")).unwrap(), "y\n");
    assert!(!source.join("9").exists());
}

/// What root may do and give, and what other users may not.
const PERMISSIONS: &str = r#"
cd $1
u() { user=$1; shift; setpriv --reuid $user --regid $user --clear-groups -- sh -c "$*" 2>/dev/null || echo "no: $*"; }
# With the time of the last change, so that the kernel asks the host instead of remembering for 0.1 s.
show() { stat -c '%n %A %u:%g %z' "$@" | cut -d ' ' -f 1-3; }
mkdir -m 1777 tmp; mkdir -m 2775 group; chown 1000:1002 group
umask 027; touch masked; mkdir masked.d; umask 022
show tmp group masked masked.d
u 1000 'umask 077; echo a > tmp/a; mkdir tmp/d; echo b > group/b; mkdir group/d; echo c > group/d/c; ln -s a tmp/l'
show tmp/a tmp/d tmp/l group/b group/d group/d/c
u 1001 cat tmp/a
u 1001 rm -f tmp/a
u 1001 mv tmp/a tmp/x
u 1001 touch group/no
u 1001 chmod 777 tmp/a
u 1000 chown 0 tmp/a
u 1000 chown 1000:1001 tmp/a
u 1000 'chmod 640 tmp/a && mv tmp/a tmp/b && cat tmp/b'
chown 1001:1000 tmp/b; show tmp/b
u 1000 cat tmp/b
u 1000 'echo no >> tmp/b'
u 1001 'echo more >> tmp/b; wc -l < tmp/b'
cp /bin/true set; chmod 6755 set; show set
chown 1000:1000 set; show set
chmod 4755 set; show set
u 1000 'echo x >> set'; show set
mkdir -m 700 closed; echo x > closed/x; chmod 644 closed/x
u 1000 cat closed/x
u 1000 ls closed
chmod 711 closed
u 1000 cat closed/x
u 1000 ls closed
mkfifo -m 600 pipe; ln tmp/b hard; show pipe hard
"#;

/// What every file system of a Linux machine answers.
const PERMITTED: &str = "tmp drwxrwxrwt 0:0\ngroup drwxrwsr-x 1000:1002\nmasked -rw-r----- 0:0\nmasked.d drwxr-x--- 0:0\n\
tmp/a -rw------- 1000:1000\ntmp/d drwx------ 1000:1000\ntmp/l lrwxrwxrwx 1000:1000\n\
group/b -rw------- 1000:1002\ngroup/d drwx--S--- 1000:1002\ngroup/d/c -rw------- 1000:1002\n\
no: cat tmp/a\nno: rm -f tmp/a\nno: mv tmp/a tmp/x\nno: touch group/no\nno: chmod 777 tmp/a\nno: chown 0 tmp/a\n\
no: chown 1000:1001 tmp/a\na\ntmp/b -rw-r----- 1001:1000\na\nno: echo no >> tmp/b\n2\n\
set -rwsr-sr-x 0:0\nset -rwxr-xr-x 1000:1000\nset -rwsr-xr-x 1000:1000\nset -rwxr-xr-x 1000:1000\n\
no: cat closed/x\nno: ls closed\nx\nno: ls closed\npipe prw------- 0:0\nhard -rw-r----- 1001:1000";

#[test]
fn permissions_are_those_of_linux() {
    let check = |system: System, here: &str| {
        let system = system.with_debian();
        let host = system.home().join("host");
        fs::create_dir(&host).unwrap();
        let owner = fs::metadata(system.home()).unwrap().uid();
        chown(&host, Some(owner), Some(owner)).unwrap();
        fs::write(system.home().join("script"), PERMISSIONS).unwrap();
        let both = "for at in /host /volume; do sh /script $at; echo; done";
        let printed = system.ok([
            "run",
            "--rm",
            "-m",
            "512m",
            "-v",
            "./host:/host",
            "-v",
            "data:/volume",
            "-v",
            "./script:/script:ro",
            DEBIAN,
            "sh",
            "-c",
            both,
        ]);
        let (on_host, on_volume) = printed.split_once("\n\n").expect("two lists");
        assert_eq!(on_volume.trim_end(), PERMITTED, "the volume");
        assert_eq!(on_host, here, "the host's directory");
    };
    check(System::start(), PERMITTED);
    // Links cannot say whose they are where the host has one user's files only.
    let one_users = PERMITTED.replace("tmp/l lrwxrwxrwx 1000:1000", "tmp/l lrwxrwxrwx 0:0");
    check(System::start_as_user(), &one_users);
}

//! What disks survive: machines that are killed while they write, and a host whose disk is full.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use container_tests::{System, eventually, signal};

/// Machines that are killed; more with `CONTAINER_TEST_CRASHES`.
const CRASHES: usize = 3;

/// Checks what earlier runs finished, and then writes for ever: a file, and its checksum once both are on the disk.
const WRITER: &str = r#"
for sum in /data/*.sum /root/*.sum; do
  [ ! -e "$sum" ] || md5sum -c "$sum" >/dev/null || { echo "damaged: $sum"; exit 3; }
done
echo checked
round=0
while :; do
  for directory in /data /root; do
    file=$directory/$((round % 20))
    rm -f $file.sum
    dd if=/dev/urandom of=$file bs=64k count=$((round % 7 + 1)) 2>/dev/null
    md5sum $file > $directory/new && sync && mv $directory/new $file.sum
  done
  sync
  round=$((round + 1))
  echo round $round
done
"#;

/// The file system's own checker finds nothing to repair.
fn assert_clean(disk: &Path) {
    let check = Command::new("e2fsck")
        .arg("-fn")
        .arg(disk)
        .output()
        .expect("e2fsck");
    let text = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(check.status.success(), "{}: {text}", disk.display());
}

#[test]
fn disks_outlive_machines_that_are_killed_while_they_write() {
    let crashes =
        std::env::var("CONTAINER_TEST_CRASHES").map_or(CRASHES, |text| text.parse().expect("a number"));
    let system = System::start();
    system.ok([
        "create",
        "--name",
        "writer",
        "-v",
        "data:/data",
        "busybox",
        "sh",
        "-c",
        WRITER,
    ]);
    for crash in 0..crashes {
        system.ok(["start", "writer"]);
        // Another moment each time.
        let rounds = 3 + crash % 5;
        eventually(Duration::from_secs(60), "the writer to write", || {
            let log = system.ok(["logs", "writer"]);
            assert!(!log.contains("damaged"), "after {crash} crashes: {log}");
            log.contains(&format!("round {rounds}"))
        });
        let machine = system.processes("qemu");
        signal("KILL", *machine.first().expect("a machine"));
        eventually(Duration::from_secs(20), "the end", || {
            system.state("writer") == "stopped"
        });
    }
    system.ok(["start", "writer"]);
    eventually(Duration::from_secs(60), "the last check", || {
        system.ok(["logs", "writer"]).contains("checked")
    });
    system.ok(["stop", "-t", "0", "writer"]);
    assert_clean(&system.app_root().join("volumes/data/volume.img"));
    assert_clean(&system.bundle("writer").join("scratch.ext4"));
}

#[test]
fn a_full_host_disk_is_an_error_in_the_guest_and_damages_nothing() {
    let system = System::start_with_small_volumes("24m");
    let server = *system.processes("container-apiserver").first().expect("a server");
    let disk = || -> PathBuf {
        // The volumes are mounted where only the server sees them.
        let path = system.app_root().join("volumes/data/volume.img");
        PathBuf::from(format!("/proc/{server}/root{}", path.display()))
    };
    system.ok([
        "volume",
        "create",
        "--opt",
        "journal=ordered:4m",
        "-s",
        "1g",
        "data",
    ]);
    system.ok([
        "run",
        "-d",
        "--name",
        "web",
        "-v",
        "data:/data",
        "busybox",
        "sh",
        "-c",
        "echo kept > /data/kept; sync; sleep 1000",
    ]);
    eventually(Duration::from_secs(20), "the file", || {
        system.run(["exec", "web", "cat", "/data/kept"]).stdout == "kept\n"
    });
    let full = system.run([
        "exec",
        "web",
        "dd",
        "if=/dev/urandom",
        "of=/data/big",
        "bs=1M",
        "count=64",
        "conv=fsync",
    ]);
    assert_ne!(full.code, 0, "{full:?}");
    assert!(
        full.stderr.contains("Input/output error") || full.stderr.contains("Read-only file system"),
        "{full:?}"
    );
    // The machine goes on, and so does what needs no more space.
    assert_eq!(system.ok(["exec", "web", "cat", "/data/kept"]), "kept");
    system.ok(["stop", "-t", "0", "web"]);

    let grown = Command::new("nsenter")
        .args([
            "--target",
            &server.to_string(),
            "--user",
            "--mount",
            "--preserve-credentials",
        ])
        .args(["mount", "-o", "remount,size=256m"])
        .arg(system.app_root().join("volumes"))
        .status();
    assert!(grown.expect("nsenter").success());
    let again = system.ok([
        "run", "--rm", "-v", "data:/data", "busybox", "sh", "-c",
        "cat /data/kept; dd if=/dev/urandom of=/data/big bs=1M count=64 conv=fsync 2>/dev/null && echo written",
    ]);
    assert_eq!(again, "kept\nwritten");
    assert_clean(&disk());
}

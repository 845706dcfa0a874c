//! `container volume`, and volumes in containers.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use container_tests::{System, eventually, signal};

fn disk(system: &System, name: &str) -> PathBuf {
    system.app_root().join("volumes").join(name).join("volume.img")
}

/// The file system's own checker finds nothing to repair.
fn assert_clean(disk: &PathBuf) {
    let check = Command::new("e2fsck")
        .arg("-fn")
        .arg(disk)
        .output()
        .expect("e2fsck");
    let text = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(check.status.success(), "{text}");
}

#[test]
fn volumes_are_made_listed_and_deleted() {
    let system = System::start();
    assert_eq!(
        system.run(["volume", "list"]).stdout,
        "NAME  TYPE  DRIVER  OPTIONS\n"
    );
    assert_eq!(
        system.ok([
            "volume",
            "create",
            "--label",
            "a=b=c",
            "--opt",
            "journal=writeback",
            "-s",
            "1g",
            "data"
        ]),
        "data"
    );
    assert_eq!(
        system.run(["volume", "list"]).stdout,
        "NAME  TYPE   DRIVER  OPTIONS\ndata  named  local   journal=writeback,size=1g\n"
    );
    assert_clean(&disk(&system, "data"));
    let inspected: serde_json::Value =
        serde_json::from_str(&system.ok(["volume", "inspect", "data"])).unwrap();
    let configuration = &inspected[0]["configuration"];
    assert_eq!(configuration["sizeInBytes"], 1 << 30);
    assert_eq!(configuration["labels"]["a"], "b=c");
    assert_eq!(
        configuration["source"],
        disk(&system, "data").display().to_string()
    );

    for (arguments, text) in [
        (&["create", "data"][..], "Error: volume 'data' already exists\n"),
        (
            &["create", "a/b"],
            "Error: invalid volume name 'a/b': must match ^[A-Za-z0-9][A-Za-z0-9_.-]*$\n",
        ),
        (
            &["create", "-s", "1k", "x"],
            "Error: storage error: volume size too small: minimum 1MiB\n",
        ),
        (&["inspect", "data", "x", "y"], "Error: volume not found: x, y\n"),
        (
            &["delete"],
            "Error: no volumes specified and --all not supplied\n",
        ),
        (
            &["delete", "data", "x"],
            "Error: failed to delete one or more volumes: [\"x\"]\n",
        ),
    ] {
        let refused = system.fails(["volume"].iter().chain(arguments));
        assert_eq!(
            (refused.code, refused.stderr.as_str()),
            (1, text),
            "{arguments:?}"
        );
    }
    assert_eq!(system.ok(["volume", "delete", "--all"]), "data");
    assert_eq!(system.run(["volume", "list", "-q"]).stdout, "");
}

#[test]
fn what_is_written_outlives_containers() {
    let system = System::start();
    let made = system.run([
        "run",
        "--rm",
        "--progress",
        "none",
        "-v",
        "data:/data",
        "busybox",
        "sh",
        "-c",
        "ls -A /data; echo kept > /data/file",
    ]);
    assert_eq!(
        (made.code, made.stdout.as_str()),
        (0, ""),
        "a new volume is empty"
    );
    assert_eq!(
        made.stderr,
        "named volume was automatically created: [\"volume\": \"data\"]\n"
    );
    assert_clean(&disk(&system, "data"));

    // Twice in one container, once of them read-only, and under another mount.
    let shell = "cat /ro/file; echo more > /rw/deep/file; cat /ro/file; echo no > /ro/file";
    let mounts = [
        "-v",
        "data:/ro:ro",
        "--mount",
        "type=volume,source=data,target=/rw/deep",
        "--tmpfs",
        "/rw",
    ];
    let used = system.run(
        ["run", "--rm"]
            .iter()
            .chain(&mounts)
            .chain(&["busybox", "sh", "-c", shell]),
    );
    assert_eq!(used.stdout, "kept\nmore\n");
    assert!(used.stderr.contains("Read-only file system"), "{used:?}");

    // A machine that is killed loses nothing that was synced.
    system.ok([
        "run",
        "-d",
        "--name",
        "writer",
        "-v",
        "data:/data",
        "busybox",
        "sh",
        "-c",
        "echo synced > /data/file; sync; while :; do echo x >> /data/noise; done",
    ]);
    eventually(Duration::from_secs(20), "the file to be written", || {
        system.ok(["exec", "writer", "cat", "/data/file"]) == "synced"
    });
    signal("KILL", system.processes("qemu")[0]);
    eventually(Duration::from_secs(10), "the container to be stopped", || {
        system.state("writer") == "stopped"
    });
    assert_eq!(
        system.ok(["run", "--rm", "-v", "data:/data", "busybox", "cat", "/data/file"]),
        "synced"
    );
    assert_clean(&disk(&system, "data"));

    let refused = system.fails(["volume", "delete", "data"]);
    assert_eq!(refused.code, 1);
    assert!(
        refused
            .stderr
            .ends_with("Error: delete failed for one or more volumes: [\"data\"]\n"),
        "{refused:?}"
    );
    assert!(refused.stderr.contains("is currently in use"), "{refused:?}");
    system.ok(["delete", "writer"]);
    assert_eq!(system.ok(["volume", "delete", "data"]), "data");
}

#[test]
fn one_writer_or_many_readers() {
    let system = System::start();
    system.ok(["volume", "create", "shared"]);
    system.ok([
        "run",
        "--rm",
        "-v",
        "shared:/d",
        "busybox",
        "sh",
        "-c",
        "echo text > /d/file",
    ]);
    let reader = |name| {
        [
            "run",
            "-d",
            "--name",
            name,
            "-v",
            "shared:/d:ro",
            "busybox",
            "sleep",
            "1000",
        ]
    };
    system.ok(reader("one"));
    system.ok(reader("two"));
    assert_eq!(system.ok(["exec", "two", "cat", "/d/file"]), "text");
    let refused = system.fails(["run", "--rm", "-v", "shared:/d", "busybox", "true"]);
    assert!(
        refused
            .stderr
            .contains("volume 'shared' is currently in use by container "),
        "{refused:?}"
    );
    system.ok(["stop", "-t", "0", "one", "two"]);
    system.ok(["run", "--rm", "-v", "shared:/d", "busybox", "true"]);

    // Volumes that nobody named stay until they are pruned.
    system.ok([
        "run",
        "--rm",
        "-v",
        "/scratch",
        "busybox",
        "touch",
        "/scratch/file",
    ]);
    let listed = system.run(["volume", "list"]).stdout;
    assert!(listed.contains("  anonymous  local"), "{listed}");
    let pruned = system.run(["volume", "prune"]);
    assert_eq!(pruned.stdout.lines().count(), 1, "{pruned:?}");
    assert!(pruned.stderr.starts_with("Reclaimed "), "{pruned:?}");
    assert_eq!(system.run(["volume", "list", "-q"]).stdout, "shared\n");
}

#[test]
fn an_empty_volume_gets_what_the_image_has_there() {
    let system = System::start();
    let run = |mount: &[&str], shell: &str| {
        let command = ["run", "--rm"].into_iter().chain(mount.iter().copied());
        system.ok(command.chain(["busybox", "sh", "-c", shell]))
    };
    let shell = "cd /var/spool; ls; stat -c %a /var/spool mail; cat mail/new; echo own > mail/new";
    assert_eq!(
        run(&["-v", "spool:/var/spool"], &format!("{shell} 2>/dev/null")),
        "mail\n755\n755"
    );
    assert_clean(&disk(&system, "spool"));
    // It has something now, which stays.
    assert_eq!(
        run(&["-v", "spool:/var"], "ls /var; cat /var/mail/new"),
        "mail\nown"
    );
    assert_eq!(run(&["-v", "other:/var/spool:nocopy"], "ls /var/spool"), "");
    let mount = "type=volume,source=third,target=/var/spool,volume-nocopy";
    assert_eq!(run(&["--mount", mount], "ls /var/spool"), "");
    assert_eq!(run(&["-v", "/var/spool"], "ls /var/spool"), "mail");
}

#[test]
fn what_is_deleted_is_free_on_the_host() {
    use std::os::unix::fs::MetadataExt;

    let system = System::start();
    system.idle("web", "busybox", &["-v", "data:/data"]);
    let scratch = system.bundle("web").join("scratch.ext4");
    let allocated = |disk: &PathBuf| std::fs::metadata(disk).map_or(0, |found| found.blocks() * 512);
    for (directory, disk) in [("/data", disk(&system, "data")), ("/root", scratch)] {
        let before = allocated(&disk);
        let write = format!("dd if=/dev/urandom of={directory}/big bs=1M count=48 2>/dev/null; sync");
        system.ok(["exec", "web", "sh", "-c", &write]);
        assert!(allocated(&disk) >= before + (48 << 20), "{}", disk.display());
        system.ok(["exec", "web", "sh", "-c", &format!("rm {directory}/big; sync")]);
        eventually(Duration::from_secs(20), "the space to come back", || {
            allocated(&disk) < before + (16 << 20)
        });
    }
    let used: serde_json::Value =
        serde_json::from_str(&system.ok(["system", "df", "--format", "json"])).unwrap();
    let volumes = used["volumes"]["sizeInBytes"].as_u64().unwrap();
    assert_eq!(volumes, allocated(&disk(&system, "data")), "{used}");
}

#[test]
fn a_shared_volume_is_written_by_many() {
    let system = System::start();
    let shared = system.fails(["volume", "create", "--opt", "type=shared", "-s", "1g", "both"]);
    assert_eq!(
        shared.stderr,
        "Error: storage error: a shared volume is a directory of the host: it has no size and no journal\n"
    );
    system.ok(["volume", "create", "--opt", "type=shared", "both"]);
    for name in ["one", "two"] {
        system.idle(name, "busybox", &["-v", "both:/both", "-v", "both:/ro:ro"]);
    }
    system.ok(["exec", "one", "sh", "-c", "echo 1 > /both/file"]);
    assert_eq!(
        system.ok(["exec", "two", "sh", "-c", "cat /both/file; echo 2 >> /both/file"]),
        "1"
    );
    assert_eq!(system.ok(["exec", "one", "cat", "/ro/file"]), "1\n2");
    let read_only = system.run(["exec", "one", "touch", "/ro/file"]);
    assert!(
        read_only.stderr.contains("Read-only file system"),
        "{read_only:?}"
    );
    let directory = system.app_root().join("volumes/both/data");
    assert_eq!(std::fs::read_to_string(directory.join("file")).unwrap(), "1\n2\n");
    system.ok(["rm", "-f", "one", "two"]);
    assert_eq!(system.ok(["volume", "delete", "both"]), "both");
    assert!(!directory.exists());
}

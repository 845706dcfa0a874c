//! `container copy` and `container export`.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use container_tests::{System, eventually};

/// What `tar` lists of an archive: names of directories end with a slash.
fn names(archive: &Path) -> Vec<String> {
    let listed = Command::new("tar").arg("-tf").arg(archive).output().expect("tar");
    assert!(listed.status.success(), "{listed:?}");
    let text = String::from_utf8(listed.stdout).expect("UTF-8");
    let mut names: Vec<String> = text.lines().map(str::to_owned).collect();
    names.sort();
    names
}

/// A tree with everything that copies keep.
fn make_tree(at: &Path) {
    fs::create_dir_all(at.join("bin")).unwrap();
    fs::write(at.join("bin/run"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(at.join("bin/run"), fs::Permissions::from_mode(0o750)).unwrap();
    fs::write(at.join("bin/big"), vec![b'x'; 3_000_000]).unwrap();
    symlink("bin/run", at.join("link")).unwrap();
    std::os::unix::fs::chown(at.join("bin/run"), Some(33), Some(44)).unwrap();
}

#[test]
fn files_and_trees_go_both_ways() {
    let system = System::start();
    let home = system.home();
    make_tree(&home.join("tree"));
    fs::write(home.join("one"), "one\n").unwrap();
    fs::create_dir(home.join("shared")).unwrap();
    system.idle(
        "web",
        "busybox",
        &[
            "-v",
            "data:/data",
            "-v",
            "./shared:/shared",
            "--tmpfs",
            "/scratch",
        ],
    );
    let inside = |shell: &str| system.ok(["exec", "web", "sh", "-c", shell]);
    let cp = |from: &str, to: &str| system.ok(["cp", from, to]);

    // Into a directory, to a name of its own, over a file, and below mounts of every kind.
    assert_eq!(cp("one", "web:/tmp/"), "web:/tmp/one");
    assert_eq!(cp("one", "web:/tmp"), "web:/tmp");
    assert_eq!(cp("one", "web:/new/name"), "web:/new/name");
    assert_eq!(cp("one", "web:/etc/hostname"), "web:/etc/hostname");
    for mount in ["data", "shared", "scratch"] {
        cp("tree", &format!("web:/{mount}"));
        assert_eq!(
            inside(&format!(
                "cd /{mount}/tree; stat -c '%a %u %g' bin/run; readlink link; wc -c < bin/big"
            )),
            "750 33 44\nbin/run\n3000000",
            "{mount}"
        );
    }
    assert_eq!(inside("cat /tmp/one /new/name /etc/hostname"), "one\none\none");
    assert!(home.join("shared/tree/bin/run").exists());
    // What is in a directory rather than the directory.
    cp("tree/.", "web:/contents");
    assert_eq!(inside("ls /contents"), "bin\nlink");

    assert_eq!(cp("web:/data/tree", "copied"), "copied");
    let copied = fs::metadata(home.join("copied/bin/run")).unwrap();
    assert_eq!(
        (copied.mode() & 0o7777, copied.uid(), copied.gid()),
        (0o750, 33, 44)
    );
    assert_eq!(
        fs::read_link(home.join("copied/link")).unwrap(),
        Path::new("bin/run")
    );
    assert_eq!(
        fs::read(home.join("copied/bin/big")).unwrap(),
        vec![b'x'; 3_000_000]
    );
    assert_eq!(cp("web:/scratch/tree/link", "copied"), "copied/link");
    assert_eq!(cp("web:/data/tree/bin/run", "deep/er/name"), "deep/er/name");
    assert_eq!(
        fs::read_to_string(home.join("deep/er/name")).unwrap(),
        "#!/bin/sh\n"
    );

    // Links do not lead out, neither there nor here.
    inside("ln -s /../../../../../../etc/hostname /out; mkdir /evil; ln -s / /evil/root");
    assert_eq!(cp("web:/out", "hostname"), "hostname");
    assert_eq!(fs::read_to_string(home.join("hostname")).unwrap(), "one\n");
    cp("web:/evil", ".");
    assert_eq!(fs::read_link(home.join("evil/root")).unwrap(), Path::new("/"));

    for (arguments, text) in [
        (
            ["one", "two"],
            "one of source or destination must be a container reference (container_id:path)",
        ),
        (
            ["web:/a", "web:/b"],
            "copying between containers is not supported",
        ),
        (["none", "web:/x"], "source path does not exist: none"),
        (["one/", "web:/x"], "source path is not a directory: one/"),
        (["web:rel", "x"], "invalid path given: web:rel"),
        (
            ["web:/out", "missing/"],
            "destination is not a directory: missing/",
        ),
        (
            ["web:/evil", "one"],
            "cannot copy directory over existing file: ./one",
        ),
    ] {
        let refused = system.fails(["cp"].iter().chain(&arguments));
        assert_eq!(refused.stderr, format!("Error: {text}\n"), "{arguments:?}");
    }
    for (arguments, text) in [
        (
            ["tree", "web:/etc/passwd"],
            "cannot copy directory over existing file: /etc/passwd",
        ),
        (
            ["one", "web:/none/"],
            "destination directory does not exist: /none/",
        ),
        (
            ["web:/none", "x"],
            "failed to copy /none: No such file or directory",
        ),
    ] {
        let refused = system.fails(["cp"].iter().chain(&arguments));
        assert!(refused.stderr.contains(text), "{arguments:?}: {refused:?}");
    }
    assert!(!home.join("x").exists() && !home.join("missing").exists());
}

#[test]
fn stopped_containers_and_streams() {
    let system = System::start();
    let home = system.home();
    make_tree(&home.join("tree"));
    system.ok([
        "create",
        "--name",
        "web",
        "-v",
        "data:/data",
        "-v",
        "./tree:/shared:ro",
        "busybox",
        "sh",
        "-c",
        "cat /data/one /in/tree/link",
    ]);
    // A container that never ran, in its volume too.
    fs::write(home.join("one"), "one\n").unwrap();
    system.ok(["cp", "one", "web:/data/"]);
    let archive = Command::new("tar")
        .args(["-c", "tree"])
        .current_dir(home)
        .output()
        .unwrap();
    system.ok(["cp", "tree/.", "web:/in"]);
    let streamed = system.run_with_input(["cp", "-", "web:/in"], &archive.stdout);
    assert_eq!((streamed.code, streamed.stderr.as_str()), (0, ""));
    assert_eq!(system.state("web"), "stopped");
    assert!(
        system.processes("qemu").is_empty(),
        "the machine ended with its task"
    );
    assert_eq!(system.ok(["start", "-a", "web"]), "one\n#!/bin/sh");

    system.ok(["cp", "web:/shared/bin", "bin"]);
    assert_eq!(fs::metadata(home.join("bin/run")).unwrap().uid(), 33);
    let out = File::create(home.join("out.tar")).unwrap();
    let mut command = system.command(["cp", "web:/in/tree", "-"]);
    assert!(command.stdout(out).status().unwrap().success());
    assert_eq!(
        names(&home.join("out.tar")),
        ["tree/", "tree/bin/", "tree/bin/big", "tree/bin/run", "tree/link"]
    );

    // Whoever is killed leaves nothing, and the container can be used at once.
    let mut reader = system
        .command(["cp", "web:/in", "-"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    reader.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
    reader.kill().unwrap();
    reader.wait().unwrap();
    assert_eq!(system.ok(["start", "-a", "web"]), "one\n#!/bin/sh");
    eventually(Duration::from_secs(20), "the machines to end", || {
        system.processes("qemu").is_empty()
    });
    let refused = system.run_with_input(["cp", "-", "web:/none"], b"");
    assert_eq!(refused.code, 1);
    assert!(
        refused
            .stderr
            .contains("destination directory does not exist: /none"),
        "{refused:?}"
    );
    let broken = system.run_with_input(["cp", "-", "web:/in"], &[b'x'; 2048]);
    assert_eq!(broken.code, 1, "{broken:?}");
}

#[test]
fn export_is_what_the_container_sees_of_its_own() {
    let system = System::start();
    let home = system.home();
    let shell = "echo 1 > /etc/new; rm /bin/ls; ln /etc/new /etc/again; ln -s new /etc/way; chmod 4711 /etc/new; \
                 mkfifo /pipe; echo volume > /data/file; mkdir -m 1777 /sticky; chown 33:44 /sticky; touch /ready; \
                 sleep 1000";
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
        shell,
    ]);
    eventually(Duration::from_secs(20), "the changes", || {
        system.run(["exec", "web", "cat", "/ready"]).code == 0
    });
    let own = system.ok(["exec", "web", "find", "/", "-xdev", "!", "-type", "s"]);
    let running = home.join("running.tar");
    system.ok(["export", "-o", running.to_str().unwrap(), "web"]);
    let exported = names(&running);
    let mut expected: Vec<&str> = own.lines().map(|path| path.trim_start_matches('/')).collect();
    expected.retain(|path| !path.is_empty());
    expected.sort_unstable();
    let mut found: Vec<&str> = exported.iter().map(|path| path.trim_end_matches('/')).collect();
    found.sort_unstable();
    assert_eq!(found, expected);
    assert!(!exported.contains(&"data/file".to_owned()), "mounts are empty");

    let unpacked = home.join("unpacked");
    fs::create_dir(&unpacked).unwrap();
    let tar = Command::new("tar")
        .args(["-xpf", running.to_str().unwrap(), "--numeric-owner"])
        .current_dir(&unpacked)
        .status();
    assert!(tar.unwrap().success());
    let new = fs::metadata(unpacked.join("etc/new")).unwrap();
    assert_eq!(new.mode() & 0o7777, 0o4711);
    assert_eq!(new.ino(), fs::metadata(unpacked.join("etc/again")).unwrap().ino());
    let sticky = fs::metadata(unpacked.join("sticky")).unwrap();
    assert_eq!(
        (sticky.mode() & 0o7777, sticky.uid(), sticky.gid()),
        (0o1777, 33, 44)
    );
    assert!(!unpacked.join("bin/ls").exists());

    system.ok(["kill", "web"]);
    eventually(Duration::from_secs(20), "the end", || {
        system.state("web") == "stopped"
    });
    let stopped = File::create(home.join("stopped.tar")).unwrap();
    let mut command = system.command(["export", "web"]);
    assert!(command.stdout(stopped).status().unwrap().success());
    assert_eq!(
        names(&home.join("stopped.tar")),
        exported,
        "it is the same when it is stopped"
    );
    let missing = system.fails(["export", "none"]);
    assert!(missing.stderr.contains("none not found"), "{missing:?}");
}

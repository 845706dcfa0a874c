//! Directories and files of the host in containers (`--volume /path:…`, `--mount type=bind`).

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::time::Duration;

use container_tests::{System, eventually, signal};

/// A directory below the home directory of the installation.
fn directory(system: &System, name: &str) -> PathBuf {
    let directory = system.home().join(name);
    fs::create_dir_all(&directory).expect("a directory");
    directory
}

#[test]
fn directories_and_files_are_the_hosts_own() {
    let system = System::start();
    let source = directory(&system, "src");
    let below = directory(&system, "below");
    fs::write(source.join("a"), "from the host\n").unwrap();
    fs::write(below.join("b"), "below\n").unwrap();
    fs::write(system.home().join("one.conf"), "first\n").unwrap();
    fs::create_dir(source.join("inner")).unwrap();
    let shell = "cat /src/a /src/inner/b /etc/one.conf; echo second > /etc/one.conf; \
                 mkdir /src/made; echo made > /src/made/file; chmod 750 /src/made; chown 33:44 /src/made/file; \
                 ln -s a /src/link; mv /src/a /src/moved; ls /ro; cat /ro/moved; echo no > /ro/moved; \
                 mount -o remount,rw,bind /ro && rm /ro/moved";
    let ran = system.run([
        "run",
        "--rm",
        "--progress",
        "none",
        "--cap-add",
        "ALL",
        // A relative path, a nested mount given before what it is nested in, a file, and the same read-only.
        "--mount",
        "type=bind,source=below,target=/src/inner",
        "-v",
        "./src:/src",
        "-v",
        "./one.conf:/etc/one.conf",
        "-v",
        &format!("{}:/ro:ro", source.display()),
        "busybox",
        "sh",
        "-c",
        shell,
    ]);
    assert_eq!(
        ran.stdout, "from the host\nbelow\nfirst\ninner\nlink\nmade\nmoved\nfrom the host\n",
        "{ran:?}"
    );
    assert_eq!(
        ran.stderr.matches("Read-only file system").count(),
        2,
        "the host refuses, whatever the guest makes of the mount: {ran:?}"
    );
    assert_eq!(
        fs::read_to_string(source.join("moved")).unwrap(),
        "from the host\n"
    );
    assert_eq!(fs::read_link(source.join("link")).unwrap(), PathBuf::from("a"));
    assert_eq!(
        fs::read_to_string(system.home().join("one.conf")).unwrap(),
        "second\n"
    );
    let made = fs::metadata(source.join("made")).unwrap();
    assert_eq!(made.mode() & 0o7777, 0o750);
    let file = fs::metadata(source.join("made/file")).unwrap();
    assert_eq!((file.uid(), file.gid()), (33, 44), "root shares as root");
}

#[test]
fn changes_on_the_host_show_soon() {
    let system = System::start();
    let source = directory(&system, "src");
    fs::write(source.join("file"), "1").unwrap();
    let volume = format!("{}:/src", source.display());
    system.idle("web", "busybox", &["-v", &volume]);
    for content in ["1", "two", "3", "a longer text"] {
        fs::write(source.join("file"), content).unwrap();
        // The guest may believe what it knows of a file for a tenth of a second.
        eventually(Duration::from_secs(5), content, || {
            system.ok(["exec", "web", "cat", "/src/file"]) == content
        });
    }
    fs::rename(source.join("file"), source.join("renamed")).unwrap();
    eventually(Duration::from_secs(5), "the new name", || {
        system.ok(["exec", "web", "ls", "/src"]) == "renamed"
    });
    system.ok(["exec", "web", "sh", "-c", "echo inside > /src/renamed"]);
    assert_eq!(fs::read_to_string(source.join("renamed")).unwrap(), "inside\n");

    // A tree with thousands of files, all of them known to the guest and many of them open.
    let many = directory(&system, "src/many");
    for number in 0..5000 {
        fs::write(many.join(number.to_string()), "x").unwrap();
    }
    let shell = "ls -l /src/many | wc -l; n=3; while [ $n -lt 800 ]; do eval \"exec $n</src/many/$n\" || exit 1; \
                 n=$((n+1)); done; cat /src/many/4999";
    assert_eq!(
        system.ok(["exec", "--ulimit", "nofile=4096:4096", "web", "sh", "-c", shell]),
        "5001\nx"
    );

    // Without its server the guest would wait for ever.
    let servers = system.processes("container-share-fs");
    signal("KILL", *servers.iter().min().expect("a server"));
    eventually(Duration::from_secs(20), "the container to end", || {
        system.state("web") == "stopped"
    });
    assert!(system.processes("container-share-fs").is_empty());
    system.ok(["start", "web"]);
    assert_eq!(system.ok(["exec", "web", "cat", "/src/renamed"]), "inside");
    system.ok(["kill", "web"]);
    eventually(Duration::from_secs(20), "the server to end", || {
        system.processes("container-share-fs").is_empty()
    });

    fs::rename(&source, system.home().join("elsewhere")).unwrap();
    assert_eq!(
        system.fails(["start", "web"]).stderr,
        format!("Error: mount source path '{}' does not exist\n", source.display())
    );
}

#[test]
fn sources_must_exist() {
    let system = System::start();
    fs::create_dir(system.home().join("closed")).unwrap();
    for (mount, text) in [
        (["-v", "./none:/x"], "path './none' does not exist"),
        (
            ["--mount", "type=bind,source=/none,target=/x"],
            "path '/none' does not exist",
        ),
        (
            ["-v", "/dev/null:/x"],
            "path '/dev/null' is neither a directory nor a file",
        ),
    ] {
        let refused = system.fails(["run", "--rm"].iter().chain(&mount).chain(&["busybox", "true"]));
        assert_eq!(refused.stderr, format!("Error: {text}\n"), "{mount:?}");
    }
    assert_eq!(system.ok(["list", "-aq"]), "");
}

#[test]
fn an_ordinary_user_is_root_inside() {
    let system = System::start_in_user_namespace();
    let source = directory(&system, "src");
    fs::write(source.join("secret"), "mine\n").unwrap();
    fs::set_permissions(source.join("secret"), fs::Permissions::from_mode(0o600)).unwrap();
    let volume = format!("{}:/src", source.display());
    let shell = "stat -c %u:%g /src/secret; cat /src/secret; echo new > /src/new";
    let ran = system.ok(["run", "--rm", "-v", &volume, "busybox", "sh", "-c", shell]);
    assert_eq!(ran, "0:0\nmine");
    let own = fs::metadata(system.home()).unwrap();
    let new = fs::metadata(source.join("new")).unwrap();
    assert_eq!((new.uid(), new.gid()), (own.uid(), own.gid()));

    // Other users of the container have files of their own, all of them the user's outside.
    let shell = "mkdir -m 777 /src/open; echo given > /src/given; chown 33:44 /src/given; chmod 600 /src/given; \
                 stat -c %u:%g /src/given";
    assert_eq!(
        system.ok(["run", "--rm", "-v", &volume, "busybox", "sh", "-c", shell]),
        "33:44"
    );
    let shell = "cat /src/given; cat /src/secret; cd /src/open; echo 1 > file; echo 2 >> file; cat file; mkdir d; \
                 cp /bin/true program; chmod 4755 program; stat -c '%u:%g %a' file d program; touch /src/no; \
                 chown 0 file";
    let ran = system.run([
        "run",
        "--rm",
        "--progress",
        "none",
        "--uid",
        "33",
        "--gid",
        "44",
        "-v",
        &volume,
        "busybox",
        "sh",
        "-c",
        shell,
    ]);
    assert_eq!(
        ran.stdout, "given\n1\n2\n33:44 644\n33:44 755\n33:44 4755\n",
        "{ran:?}"
    );
    assert_eq!(ran.stderr.matches("Permission denied").count(), 2, "{ran:?}");
    assert_eq!(
        ran.stderr.matches("Operation not permitted").count(),
        1,
        "{ran:?}"
    );
    let file = fs::metadata(source.join("open/file")).unwrap();
    assert_eq!((file.uid(), file.gid()), (own.uid(), own.gid()));
    let shell =
        "stat -c %u:%g /src/open/file; chown 0:0 /src/open/program; stat -c '%u:%g %a' /src/open/program";
    assert_eq!(
        system.ok(["run", "--rm", "-v", &volume, "busybox", "sh", "-c", shell]),
        "33:44\n0:0 755"
    );
}

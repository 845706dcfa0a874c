//! What storage promises, to a user who is not root. Most other tests run as whoever runs them.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::process::Command;
use std::time::Duration;

use container_tests::{System, eventually, finish, signal};

#[test]
fn volumes_copies_and_crashes() {
    let system = System::start_as_user();
    let home = system.home();
    let user = fs::metadata(home).unwrap().uid();
    fs::write(home.join("one"), "from the host\n").unwrap();
    fs::create_dir(home.join("out")).unwrap();
    chown(home.join("out"), Some(user), Some(user)).unwrap();
    system.ok(["volume", "create", "--opt", "type=shared", "both"]);
    system.idle("one", "busybox", &["-v", "data:/data", "-v", "both:/both"]);
    system.idle("two", "busybox", &["-v", "both:/both"]);

    system.shell("one", "echo 1 > /both/file; chown 33:44 /both/file");
    assert_eq!(
        system.shell("two", "cat /both/file; stat -c %u:%g /both/file"),
        "1\n33:44"
    );
    let shared = system.app_root().join("volumes/both/data/file");
    assert_eq!(fs::metadata(shared).unwrap().uid(), user, "the user's outside");

    system.ok(["cp", "one", "one:/data/one"]);
    let keep =
        "chown 33:44 /data/one; chmod 640 /data/one; sync; stat -c '%u:%g %a' /data/one; cat /data/one";
    let kept = "33:44 640\nfrom the host";
    assert_eq!(system.shell("one", keep), kept);
    system.ok(["cp", "one:/data/one", "out/copied"]);
    let copied = fs::metadata(home.join("out/copied")).unwrap();
    assert_eq!((copied.uid(), copied.mode() & 0o777), (user, 0o640));
    system.shell("one", "echo own > /etc/own");
    system.ok(["export", "-o", "out/one.tar", "one"]);
    let mut list = Command::new("tar");
    list.arg("-tf").arg(home.join("out/one.tar"));
    assert!(finish(list, b"").stdout.lines().any(|name| name == "etc/own"));

    for machine in system.processes("qemu") {
        signal("KILL", machine);
    }
    eventually(Duration::from_secs(30), "the containers to be stopped", || {
        system.state("one") == "stopped" && system.state("two") == "stopped"
    });
    system.ok(["start", "one"]);
    let look = "stat -c '%u:%g %a' /data/one; cat /data/one";
    assert_eq!(system.shell("one", look), kept);
    system.ok(["stop", "-t", "0", "one"]);
    let mut check = Command::new("e2fsck");
    check
        .arg("-fn")
        .arg(system.app_root().join("volumes/data/volume.img"));
    let checked = finish(check, b"");
    assert_eq!(checked.code, 0, "{checked:?}");
}

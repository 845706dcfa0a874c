//! `container prune`, and the commands beyond Apple's that need a stopped container: `restart`, `wait`.

use container_tests::System;

#[test]
fn stopped_containers_are_deleted_and_their_space_counted() {
    let system = System::start();
    let nothing = system.run(["prune"]);
    assert_eq!(
        (nothing.code, nothing.stdout.as_str(), nothing.stderr.as_str()),
        (0, "", "Reclaimed Zero KB in disk space\n")
    );
    let write = "dd if=/dev/urandom of=/data bs=1M count=20 && sync; exit 7";
    system.run(["run", "--name", "full", "busybox", "sh", "-c", write]);
    system.ok(["create", "--name", "fresh", "busybox", "true"]);
    system.ok(["run", "-d", "--name", "busy", "busybox", "sleep", "1000"]);
    assert_eq!(system.ok(["wait", "full"]), "7");

    let waiting = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| system.ok(["wait", "busy", "full"]));
        let before = system.inspect("busy")["status"]["startedDate"].clone();
        assert_eq!(system.ok(["restart", "--time", "0", "busy"]), "busy");
        assert_ne!(system.inspect("busy")["status"]["startedDate"], before);
        waiting.join().expect("wait")
    });
    assert_eq!(waiting, "137\n7", "in the order of the ids");
    assert_eq!(system.state("busy"), "running");
    let failed = system.fails(["restart", "busy", "nothing"]);
    assert_eq!((failed.code, failed.stdout.as_str()), (1, "busy\n"), "{failed:?}");
    assert!(failed.stderr.contains("nothing not found"), "{failed:?}");
    assert_eq!(system.fails(["wait", "nothing"]).code, 1);

    let pruned = system.run(["prune"]);
    assert_eq!((pruned.code, pruned.stdout.as_str()), (0, "fresh\nfull\n"));
    let size = pruned
        .stderr
        .strip_prefix("Reclaimed ")
        .and_then(|rest| rest.strip_suffix(" MB in disk space\n"));
    let size: f64 = size
        .unwrap_or_else(|| panic!("{pruned:?}"))
        .parse()
        .expect("a number");
    // The data, and a little for the file system itself; the image's disk is still the image's.
    assert!((20.9..40.0).contains(&size), "{size}");
    assert_eq!(system.ok(["list", "-a", "-q"]), "busy");
}

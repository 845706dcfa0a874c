//! What `container image` prints, to the byte, in every format (behaviour reference, 3, 4, 5.2 and 19).

use container_tests::{Finished, System, assert_golden, write_known_image};

const INDEX: &str = "58573e7c4efa77e2cf362596147c45b9022cae333446ba00781453a07dfe8323";

/// A system with nothing but an image under two names.
fn system() -> System {
    let system = System::start();
    let archive = system.home().join("known.tar");
    write_known_image(&archive, "docker.io/library/known:1.0");
    let loaded = system.ok(["image", "load", "-i", &archive.display().to_string()]);
    assert_eq!(loaded, "docker.io/library/known:1.0");
    let second = "ghcr.io/some/where:x";
    assert_eq!(system.ok(["image", "tag", "known:1.0", second]), second);
    system.ok(["image", "delete", "busybox"]);
    system
}

fn prints(finished: Finished, code: i32, stdout: &str, stderr: &str) {
    let expected = Finished {
        code,
        stdout: stdout.to_owned(),
        stderr: stderr.to_owned(),
    };
    assert_eq!(finished, expected);
}

#[test]
fn lists_and_documents() {
    let system = system();
    for (arguments, golden) in [
        (&["list"][..], "list.txt"),
        (&["list", "--verbose"], "list-verbose.txt"),
        (&["list", "--quiet"], "list-quiet.txt"),
        (&["list", "--format", "json"], "list.json"),
        (&["list", "--format", "yaml"], "list.yaml"),
        (&["list", "--format", "toml"], "list.toml"),
        // What is quiet or verbose about a table is no matter for documents.
        (&["list", "--quiet", "--format", "json"], "list.json"),
        (&["list", "--verbose", "--format", "yaml"], "list.yaml"),
        (&["inspect", "known:1.0"], "inspect.json"),
        (
            &["inspect", "known:1.0", "docker.io/library/known:1.0"],
            "inspect.json",
        ),
    ] {
        let shown = system.run(["image"].iter().chain(arguments));
        assert_eq!((shown.code, shown.stderr.as_str()), (0, ""), "{arguments:?}");
        assert_golden(&format!("image/{golden}"), &shown.stdout);
    }
}

#[test]
fn names_that_are_not_there() {
    let system = system();
    for (arguments, error) in [
        (
            &["inspect", "known:1.0", "nope", "nada"][..],
            "Error: image not found: nope, nada\n",
        ),
        (
            &["list", "-qv"],
            "Error: cannot use flag --quiet and --verbose together\n",
        ),
        (&["delete"], "Error: no images specified and --all not supplied\n"),
        (&["tag", "nope", "x"], "Error: image with reference nope\n"),
        (&["push", "nope"], "Error: image with reference nope\n"),
        (
            &["load", "-i", "/nonexistent"],
            "file does not exist: [\"path\": \"/nonexistent\"]\n",
        ),
    ] {
        prints(system.run(["image"].iter().chain(arguments)), 1, "", error);
    }
    // The others are deleted all the same.
    let deleted = "Reclaimed Zero KB in disk space\nError: failed to delete one or more images: [\"nope\"]\n";
    prints(
        system.run(["image", "delete", "known:1.0", "nope"]),
        1,
        "docker.io/library/known:1.0\n",
        deleted,
    );
    prints(system.run(["image", "delete", "--force", "nope"]), 0, "", "");
}

#[test]
fn saved_pruned_and_gone() {
    let system = system();
    let archive = system.home().join("saved.tar").display().to_string();
    let (first, second) = ("known:1.0", "ghcr.io/some/where:x");
    let saved = system.run(["image", "save", "-o", &archive, first, second]);
    prints(saved, 0, &format!("{first}\n{second}\n"), "");

    prints(
        system.run(["image", "prune"]),
        0,
        "",
        "Reclaimed Zero KB in disk space\n",
    );
    let pruned = system.run(["image", "prune", "--all"]);
    assert_eq!(pruned.code, 0);
    let untagged = format!("untagged docker.io/library/{first}\nuntagged {second}\n");
    assert!(pruned.stdout.starts_with(&untagged), "{}", pruned.stdout);
    assert!(pruned.stdout.contains(&format!("\ndeleted {INDEX}\n")));
    assert_eq!(
        pruned.stdout.matches("deleted ").count(),
        6,
        "index, manifests, configurations, layer"
    );
    prints(system.run(["image", "list"]), 0, "NAME  TAG  DIGEST\n", "");

    // What was saved comes back as it was.
    let loaded = system.ok(["image", "load", "-i", &archive]);
    assert_eq!(loaded, format!("docker.io/library/{first}\n{second}"));
    let inspected: serde_json::Value =
        serde_json::from_str(&system.ok(["image", "inspect", first, second])).unwrap();
    assert_eq!(
        (&inspected[0]["id"], &inspected[1]["id"]),
        (&INDEX.into(), &INDEX.into())
    );
    let deleted = system.run(["image", "delete", "--all"]);
    assert_eq!(deleted.code, 0);
    assert_eq!(deleted.stdout, format!("docker.io/library/{first}\n{second}\n"));
    assert!(deleted.stderr.starts_with("Reclaimed "), "{}", deleted.stderr);
}

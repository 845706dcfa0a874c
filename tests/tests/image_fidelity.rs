//! Images as a container sees them, against what umoci unpacks: every file's type, mode, owner, time, attributes, link
//! count and content.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use container_tests::{System, artifact, wait_at_most};

/// What the runtime puts into every container or mounts over it.
const OWN: [&str; 7] = [
    "dev",
    "etc/hostname",
    "etc/hosts",
    "etc/mtab",
    "etc/resolv.conf",
    "proc",
    "sys",
];

/// Runs a program that has to succeed, and returns what it prints.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program} is needed by this test: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Copies an archive's image into a layout; the answer is its name there.
fn layout(archive: &Path, directory: &Path) -> String {
    let image = format!("{}:image", directory.join("layout").display());
    let (from, to) = (
        format!("oci-archive:{}", archive.display()),
        format!("oci:{image}"),
    );
    run("skopeo", &["copy", "--insecure-policy", "-q", &from, &to]);
    image
}

/// What umoci unpacks.
fn unpack(image: &str, directory: &Path) -> PathBuf {
    let bundle = directory.join("bundle");
    run("umoci", &["unpack", "--image", image, text(&bundle)]);
    bundle.join("rootfs")
}

/// Compares listings with a line per path. The time of `/etc` is that of the container's start.
fn assert_same(ours: &str, theirs: &str, path_of: impl Fn(&str) -> String) {
    let by_path = |listing: &str| -> BTreeMap<String, String> {
        let lines = listing.lines();
        lines
            .map(|line| (path_of(line), line.to_owned()))
            .filter(|(path, _)| path != "etc")
            .collect()
    };
    let (ours, theirs) = (by_path(ours), by_path(theirs));
    for path in ours.keys().chain(theirs.keys()) {
        assert_eq!(
            ours.get(path),
            theirs.get(path),
            "{path:?}: the container's is left, umoci's is right"
        );
    }
}

/// The busybox image, as far as its own programs can tell.
#[test]
fn a_container_sees_what_umoci_unpacks() {
    let system = System::start();
    let root = unpack(
        &layout(&artifact("CONTAINER_TEST_BUSYBOX"), system.home()),
        system.home(),
    );
    let prune: Vec<String> = OWN.iter().map(|own| format!("-path ./{own}")).collect();
    let find = format!(
        r"find . \( {} \) -prune -o ! -path . ! -path ./etc",
        prune.join(" -o ")
    );
    // Almost all names are links to one program, which is read once.
    let script = format!(
        "cd \"$1\" && {find} -exec stat -c '%n %f %u %g %h %s %Y %t %T' {{}} + && {find} -type l -exec readlink {{}} + && \
         {find} -samefile ./bin/busybox -print && sha256sum ./bin/busybox && {find} -type f -links 1 -exec sha256sum {{}} +"
    );
    // Sizes and links of directories are the file system's own affair.
    let listing = |output: String| {
        let lines = output.lines().map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                [name, mode, uid, gid, _, _, time, _, _] if mode.starts_with('4') => {
                    format!("{name} {mode} {uid} {gid} {time}\n")
                }
                _ => format!("{line}\n"),
            }
        });
        lines.collect::<String>()
    };
    let ours = listing(system.ok(["run", "--rm", "busybox", "sh", "-c", &script, "sh", "/"]));
    let theirs = listing(run("sh", &["-c", &script, "sh", text(&root)]));
    assert!(theirs.lines().count() > 500, "{theirs}");
    assert_same(&ours, &theirs, str::to_owned);
}

/// Debian with Python, and on top of it ten layers of everything that layers may have, one of them with 100,000 files.
#[test]
#[ignore = "takes minutes, and CONTAINER_TEST_DEBIAN: scripts/make-debian-image.sh makes it, with python3"]
fn a_container_sees_every_case_that_layers_have() {
    let system = System::start();
    let home = system.home();
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("fidelity");
    let image = layout(&artifact("CONTAINER_TEST_DEBIAN"), home);
    let layers = home.join("layers");
    std::fs::create_dir(&layers).expect("a directory for layers");
    run("python3", &[text(&scripts.join("layers.py")), text(&layers)]);
    let program = home.join("program");
    std::fs::create_dir(&program).expect("a directory for the program");
    std::fs::copy(scripts.join("list.py"), program.join("list.py")).expect("the program that lists");
    let own = layers.join("99.tar");
    run("tar", &["-C", text(&program), "-cf", text(&own), "list.py"]);
    let mut archives: Vec<PathBuf> = std::fs::read_dir(&layers)
        .expect("layers")
        .map(|entry| entry.expect("a layer").path())
        .collect();
    archives.sort();
    assert_eq!(archives.len(), 11);
    for archive in &archives {
        run("umoci", &["raw", "add-layer", "--image", &image, text(archive)]);
    }
    let archive = home.join("image.tar");
    let to = format!("oci-archive:{}:example.com/cases:1", archive.display());
    let from = format!("oci:{image}");
    run("skopeo", &["copy", "--insecure-policy", "-q", &from, &to]);
    system.ok(["image", "load", "-i", text(&archive)]);

    let listing = home.join("listing");
    let mut container = system
        .command([
            "run",
            "--rm",
            "--memory",
            "2g",
            "example.com/cases:1",
            "python3",
            // Nothing is written, compiled programs neither.
            "-B",
            "/list.py",
            "/",
        ])
        .args(OWN)
        .stdout(File::create(&listing).expect("a file"))
        .spawn()
        .expect("container run");
    assert_eq!(
        wait_at_most(&mut container, Duration::from_secs(900)),
        0,
        "{}",
        system.logs()
    );
    let root = unpack(&image, home);
    let program = scripts.join("list.py");
    let mut arguments = vec![text(&program), text(&root)];
    arguments.extend(OWN);
    let theirs = run("python3", &arguments);
    assert!(theirs.lines().count() > 102_000);
    let ours = std::fs::read_to_string(&listing).expect("the container's output");
    let path_of = |line: &str| {
        let fields: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
        fields[0].as_str().expect("a path").to_owned()
    };
    assert_same(&ours, &theirs, path_of);
}

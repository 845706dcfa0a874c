//! The same images with buildah and podman, in both directions through Debian's registry.

use std::fs;
use std::io::Read;
use std::path::Path;

use container_image_store::Registries;
use container_ipc::Progress;

use crate::pull::{Registry, Store};
use crate::support::{run, small_layout};

/// A program with its storage below a directory of the test.
struct Peer {
    program: &'static str,
    options: Vec<String>,
}

impl Peer {
    fn new(program: &'static str, dir: &Path) -> Self {
        let path = |name: &str| dir.join(program).join(name).display().to_string();
        let options = [
            "--root",
            &path("root"),
            "--runroot",
            &path("run"),
            "--storage-driver",
            "vfs",
        ];
        Self {
            program,
            options: options.map(str::to_owned).to_vec(),
        }
    }

    /// Runs a command that has to succeed; the answer is what it printed.
    fn run(&self, arguments: &[&str]) -> Vec<u8> {
        let options: Vec<&str> = self.options.iter().map(String::as_str).collect();
        run(self.program, &[&options, arguments].concat()).stdout
    }
}

#[tokio::test]
async fn what_buildah_and_podman_push_is_pulled() {
    let registry = Registry::start(false);
    let store = Store::new(Registries::default());
    let dir = store.dir.path();
    let file = dir.join("motd");
    fs::write(&file, "from buildah\n").unwrap();
    let buildah = Peer::new("buildah", dir);
    buildah.run(&["from", "--name", "first", "scratch"]);
    buildah.run(&["config", "--env", "A=b", "--cmd", "/bin/true", "first"]);
    buildah.run(&["commit", "-q", "first", "base"]);
    buildah.run(&["from", "--name", "second", "localhost/base"]);
    buildah.run(&["copy", "-q", "second", file.to_str().unwrap(), "/etc/motd"]);
    buildah.run(&["commit", "-q", "second", "made"]);
    let there = registry.reference("buildah/made:1");
    buildah.run(&[
        "push",
        "-q",
        "--tls-verify=false",
        "made",
        &format!("docker://{there}"),
    ]);
    // Podman sees what buildah made, and hands it on in Docker's format.
    let podman = Peer {
        program: "podman",
        ..Peer::new("buildah", dir)
    };
    let docker = registry.reference("podman/made:1");
    podman.run(&[
        "push",
        "-q",
        "--tls-verify=false",
        "--format=v2s2",
        "localhost/made",
        &docker.to_string(),
    ]);
    let mut disks = Vec::new();
    for reference in [there, docker] {
        let image = store.pull(&reference, None).await.unwrap();
        let variants = store.store.inspect(&image).unwrap().variants;
        let configuration = variants[0].config.config().clone().unwrap();
        assert!(configuration.env().as_ref().unwrap().contains(&"A=b".to_owned()));
        let snapshots = store.store.unpack(image, None, Progress::none()).await.unwrap();
        let disk = snapshots[0].disk.display().to_string();
        let tree = dir.join(format!("tree{}", disks.len()));
        run("fsck.erofs", &[&format!("--extract={}", tree.display()), &disk]);
        assert_eq!(
            fs::read_to_string(tree.join("etc/motd")).unwrap(),
            "from buildah\n"
        );
        disks.push(disk);
    }
    assert_eq!(disks[0], disks[1], "the layers are the same");
}

#[tokio::test]
async fn what_is_pushed_is_pulled_by_buildah_and_podman() {
    let registry = Registry::start(false);
    let store = Store::new(Registries::default());
    let dir = store.dir.path();
    let layout = small_layout(&dir.join("layout"));
    let loaded = store.store.load(layout.dir.clone(), false).await.unwrap();
    let reference = registry.reference("ours/app:1");
    let name = reference.to_string();
    let local = loaded.images[0].reference.clone();
    store.store.tag(local, name.clone()).await.unwrap();
    store
        .store
        .push(reference, None, true, Progress::none())
        .await
        .unwrap();
    let podman = Peer::new("podman", dir);
    podman.run(&["pull", "-q", "--tls-verify=false", &name]);
    podman.run(&["create", "--name", "made", &name]);
    let exported = podman.run(&["export", "made"]);
    let mut archive = tar::Archive::new(&exported[..]);
    let motd = archive
        .entries()
        .unwrap()
        .map(Result::unwrap)
        .find_map(|mut entry| {
            let mut text = String::new();
            (entry.path().unwrap() == Path::new("etc/motd"))
                .then(|| entry.read_to_string(&mut text).map(|_| text).unwrap())
        });
    assert_eq!(motd.as_deref(), Some("hello\n"));

    let buildah = Peer::new("buildah", dir);
    buildah.run(&["pull", "-q", "--tls-verify=false", &name]);
    let shown = buildah.run(&[
        "inspect",
        "--type",
        "image",
        "--format",
        "{{.OCIv1.Config.Cmd}}",
        &name,
    ]);
    assert_eq!(String::from_utf8_lossy(&shown).trim(), "[/bin/true]");
}

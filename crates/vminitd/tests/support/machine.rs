//! The agent in a virtual machine, as it is meant to run.

use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use container_hypervisor::{Disk, Hypervisor, MacAddress, Nic, NicKind, VmConfig, platform};
use container_netlink::{TAP_DEVICE, make_tap};
use serde_json::json;
use tempfile::TempDir;

use super::{Guest, Link, ROOT, make_root, shell, soon, workspace};

/// The kernel to boot: `CONTAINER_TEST_KERNEL`, else the one that `make kernel` builds.
fn kernel() -> PathBuf {
    let kernel = std::env::var_os("CONTAINER_TEST_KERNEL")
        .map_or_else(|| workspace().join("build/kernel/vmlinux-x86_64"), PathBuf::from);
    assert!(
        kernel.exists(),
        "no kernel at {}: run `make kernel`",
        kernel.display()
    );
    kernel
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().ok()?.modified().ok()
}

/// Makes an EROFS image of what `fill` puts into a directory, unless there is one newer than `source`.
fn image(name: &str, source: &Path, fill: impl FnOnce(&Path)) -> PathBuf {
    let directory = workspace().join("target/test-agent");
    fs::create_dir_all(&directory).unwrap();
    let lock = File::create(directory.join("lock")).unwrap();
    lock.lock().unwrap();
    let image = directory.join(name);
    if modified(&image) < Some(modified(source).expect("source exists")) {
        let root = TempDir::new().unwrap();
        fs::set_permissions(root.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        fill(root.path());
        let new = directory.join(format!("{name}.new"));
        shell(Command::new("mkfs.erofs").arg(&new).arg(root.path()));
        fs::rename(new, &image).unwrap();
    }
    image
}

/// The agent: `CONTAINER_TEST_AGENT`, else the init image's, built when its sources changed.
fn program() -> PathBuf {
    if let Some(program) = std::env::var_os("CONTAINER_TEST_AGENT") {
        return program.into();
    }
    shell(&mut Command::new(workspace().join("scripts/make-init-image.sh")));
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    target.join("release/vminitd")
}

/// The agent's disk.
fn init_disk() -> PathBuf {
    let program = program();
    image("init.erofs", &program, |root| {
        for directory in ["dev", "etc", "proc", "run", "sbin", "sys", "tmp"] {
            fs::create_dir(root.join(directory)).unwrap();
        }
        fs::copy(&program, root.join("sbin/vminitd")).unwrap();
    })
}

/// Boots a machine with a root file system of busybox, and mounts it.
pub(crate) async fn start() -> Guest {
    let directory = TempDir::new().unwrap();
    let scratch = directory.path().join("scratch");
    File::create(&scratch).unwrap().set_len(1 << 30).unwrap();
    shell(Command::new("mke2fs").args(["-q", "-t", "ext4"]).arg(&scratch));
    let log = directory.path().join("boot.log");
    let mut config = VmConfig::new("agent-test", kernel(), &log);
    config.memory = 512 << 20;
    config.cpus = 2;
    config.disks = vec![
        Disk::read_only(init_disk(), "init"),
        Disk::read_only(
            image(
                "root.erofs",
                &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/mod.rs"),
                make_root,
            ),
            "image",
        ),
        Disk::writable(&scratch, "scratch"),
    ];
    config.nics = vec![Nic {
        mac: MacAddress([2, 0, 0, 0, 0, 1]),
        kind: NicKind::Tap(tap()),
    }];
    let machine = platform::Hypervisor::new().create(config).unwrap();
    soon(machine.start()).await.unwrap();
    let devices = vec![
        json!({ "destination": "/dev", "type": "devtmpfs", "source": "none", "options": ["nosuid", "mode=755"] }),
    ];
    let guest = Guest::new(
        Link::Machine(machine),
        Box::new(Log(directory)),
        devices,
        "/sbin/vminitd",
    )
    .await;
    guest
        .mount("erofs", "/dev/vdb", "/run/container/box/image", &["ro"])
        .await;
    guest
        .mount("ext4", "/dev/vdc", "/run/container/box/scratch", &["noatime"])
        .await;
    let layers = [
        "lowerdir=/run/container/box/image",
        "upperdir=/run/container/box/scratch/upper",
        "workdir=/run/container/box/scratch/work",
    ];
    guest.mount("overlay", "overlay", ROOT, &layers).await;
    guest
}

/// Shows the boot log of a test that failed, or of any when `CONTAINER_TEST_BOOT_LOG` is set.
struct Log(TempDir);

impl Drop for Log {
    fn drop(&mut self) {
        if std::thread::panicking() || std::env::var_os("CONTAINER_TEST_BOOT_LOG").is_some() {
            let log = fs::read(self.0.path().join("boot.log")).unwrap_or_default();
            eprintln!("boot log:\n{}", String::from_utf8_lossy(&log));
        }
    }
}

/// A tap device in a network namespace that nobody else is in. Takes root.
fn tap() -> OwnedFd {
    let made = std::thread::spawn(|| {
        // SAFETY: a plain system call. It moves this thread alone, which ends with this closure.
        let moved = unsafe { libc::unshare(libc::CLONE_NEWNET) };
        assert_eq!(moved, 0, "a namespace: {}", std::io::Error::last_os_error());
        let device = File::options().read(true).write(true).open(TAP_DEVICE);
        let device = OwnedFd::from(device.expect(TAP_DEVICE));
        make_tap(device.as_fd(), "wire").expect("a tap device");
        device
    });
    made.join().expect("the thread in the namespace")
}

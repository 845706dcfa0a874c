//! What goes wrong, is said clearly, and leaves nothing behind.
#![cfg(target_os = "linux")]

mod support;

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use container_ipc::{ensure_private_dir, runtime_dir};
use container_network_bridge::Settings;
use container_network_bridge::holder::{Holder, Order};
use support::{Guest, Helper, ask, eventually, hello, pids_of, test, test_as_both, test_as_user};

#[test]
fn what_is_missing_is_named() {
    test_as_both("what_is_missing_is_named", async {
        let helper = Helper::after("echo 0 > /proc/sys/user/max_user_namespaces", "nat");
        let error = helper.client().await.status().await.unwrap_err();
        let wanted = "failed to set up network n: failed to make a user namespace: No space left on device (os error 28). \
                      Allow ordinary users to make them: see user.max_user_namespaces";
        assert!(error.message.starts_with(wanted), "{error}");
        drop(helper);

        let helper = Helper::after("mount -t tmpfs none /usr/sbin", "hostOnly");
        let error = helper.client().await.status().await.unwrap_err();
        assert_eq!(
            error.message,
            "failed to set up network n: nft is missing, which networks need: install the package nftables"
        );
        drop(helper);

        let helper = Helper::after("mount -t tmpfs none /dev/net", "hostOnly");
        let client = helper.client().await;
        let error = client.allocate(ask("web")).await.unwrap_err();
        assert!(
            error
                .message
                .starts_with("failed to open /dev/net/tun: No such file"),
            "{error}"
        );
        assert!(error.message.contains("modprobe tun"), "{error}");
        // What could not be attached has no lease either.
        assert_eq!(client.lookup("web").await.unwrap(), None);
        helper.shut_down().await;
    });
}

#[test]
fn pasta_is_asked_for_and_then_used() {
    test_as_user("pasta_is_asked_for_and_then_used", async {
        let directory = tempfile::tempdir().unwrap();
        let pasta = directory.path().join("pasta");
        let path = format!("{}:/usr/sbin", directory.path().display());
        let helper = Helper::after(&format!("export PATH={path}"), "nat");
        let error = helper.client().await.status().await.unwrap_err();
        assert!(
            error.message.contains("pasta is missing") && error.message.contains("install the package passt"),
            "{error}"
        );
        std::fs::write(&pasta, "#!/bin/sh\necho 'No routable interface' >&2; exit 1\n").unwrap();
        std::fs::set_permissions(&pasta, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let error = helper.client().await.status().await.unwrap_err();
        assert!(error.message.contains("No routable interface"), "{error}");
    });
}

#[test]
fn a_helper_that_is_terminated_leaves_nothing() {
    test_as_both("a_helper_that_is_terminated_leaves_nothing", async {
        let helper = Helper::new("nat");
        let client = helper.client().await;
        let lease = client.allocate(ask("web")).await.unwrap();
        let key = lease
            .attachment
            .ipv4_gateway
            .strip_suffix(".1")
            .unwrap()
            .to_owned();
        helper.terminate().await;
        let routes = Command::new("ip").arg("route").output().unwrap();
        assert!(!String::from_utf8_lossy(&routes.stdout).contains(&key));
    });
}

#[test]
fn helper_and_holder_killed_together_are_made_good() {
    test_as_both("helper_and_holder_killed_together_are_made_good", async {
        let mut helper = Helper::new("nat");
        let client = helper.client().await;
        client.status().await.unwrap();
        let holder = helper.holder().unwrap();
        let strays = pids_of(&["pasta", &format!("/proc/{holder}/")]);
        helper.kill();
        support::kill(holder);
        helper.start();
        let client = helper.client().await;
        let lease = client.allocate(ask("web")).await.unwrap();
        let gateway = lease.attachment.ipv4_gateway.clone();
        assert_eq!(Guest::start(lease).get(&gateway, hello("0.0.0.0")), "hello");
        let running = pids_of(&["pasta"]);
        assert!(
            strays.iter().all(|stray| !running.contains(stray)),
            "{strays:?} {running:?}"
        );
        helper.shut_down().await;
    });
}

/// A holder that waits for nobody longer than a second.
struct Impatient {
    directory: tempfile::TempDir,
    process: Child,
}

impl Impatient {
    fn start() -> Self {
        let directory = tempfile::Builder::new().prefix("cn").tempdir_in("/tmp").unwrap();
        ensure_private_dir(&runtime_dir(directory.path())).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_container-network-bridge"))
            .args(["hold", "--id", "n", "--patience", "1", "--root"])
            .arg(directory.path())
            .stdout(Stdio::null())
            .spawn();
        Self {
            process: process.unwrap(),
            directory,
        }
    }

    async fn with_tap(&self) -> std::os::fd::OwnedFd {
        let endpoint = Settings::holder_endpoint(self.directory.path(), "n");
        let holder = eventually(async || Holder::find(&endpoint).await).await;
        let bridge = Order::Bridge {
            mac: [2, 0, 0, 0, 0, 1],
            addresses: Vec::new(),
        };
        holder.call(bridge).await.unwrap();
        let tap = Order::Tap {
            name: "tap2".to_owned(),
            mtu: 1500,
            addresses: Vec::new(),
        };
        holder.exchange(tap, Vec::new()).await.unwrap().remove(0)
    }

    async fn ends(mut self) {
        eventually(async || self.process.try_wait().unwrap()).await;
    }
}

#[test]
fn a_holder_lives_as_long_as_somebody_needs_it() {
    test_as_both("a_holder_lives_as_long_as_somebody_needs_it", async {
        Impatient::start().ends().await;

        let mut holder = Impatient::start();
        let tap = holder.with_tap().await;
        // Nothing announces that it stays. It had three chances to go.
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert!(holder.process.try_wait().unwrap().is_none());
        drop(tap);
        holder.ends().await;

        let holder = Impatient::start();
        let _tap = holder.with_tap().await;
        std::fs::remove_dir_all(runtime_dir(holder.directory.path())).unwrap();
        holder.ends().await;
    });
}

#[test]
fn subnets_that_are_none_are_refused() {
    test(async {
        let output = Command::new(env!("CARGO_BIN_EXE_container-network-bridge"))
            .args([
                "start",
                "--id",
                "n",
                "--subnet",
                "10.0.0.0/30",
                "--subnet-v6",
                "fd00::/64",
            ])
            .env("CONTAINER_APP_ROOT", tempfile::tempdir().unwrap().path())
            .output()
            .unwrap();
        assert!(!output.status.success());
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            text.contains("invalid subnet: 10.0.0.0/30 (at most /29)"),
            "{text}"
        );
    });
}

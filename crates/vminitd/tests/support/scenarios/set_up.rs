//! What a process finds when it begins.

use serde_json::json;

use crate::support::{Guest, ID, ROOT};

pub(crate) async fn environment_and_directory(guest: &Guest) {
    let mut spec = guest.spec(&["sh", "-c", "env; pwd; umask; readlink /proc/self/fd/0; echo $$"]);
    spec["process"]["env"] = json!(["A=b c"]);
    spec["process"]["cwd"] = json!("/made/up");
    let outcome = guest.run(ID, &spec, None).await.unwrap();
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    for line in [
        "A=b c",
        "HOME=/root",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ] {
        assert!(lines.contains(&line), "{line}: {lines:?}");
    }
    assert_eq!(lines[lines.len() - 4..], ["/made/up", "0022", "/dev/null", "1"]);
    // No descriptors but the standard ones, and the one that lists them.
    assert_eq!(guest.script("ls /proc/self/fd | wc -l").await, "4\n");
    let masks = guest
        .script("grep -E 'Sig(Ign|Blk)' /proc/self/status | awk '{print $2}'")
        .await;
    let masks: Vec<u64> = masks
        .lines()
        .map(|mask| u64::from_str_radix(mask, 16).unwrap())
        .collect();
    // Nothing is blocked, and SIGPIPE, which the agent ignores, is not ignored.
    assert_eq!((masks[0], masks[1] & (1 << (libc::SIGPIPE - 1))), (0, 0));
}

pub(crate) async fn users_and_capabilities(guest: &Guest) {
    let mut spec = guest.spec(&[
        "sh",
        "-c",
        "id; echo $HOME; grep -E 'Cap|NoNew|Groups' /proc/self/status; echo >/dev/stdout",
    ]);
    spec["process"]["user"] = json!({ "uid": 0, "gid": 0, "username": "mat", "additionalGids": [7] });
    let outcome = guest.run(ID, &spec, None).await.unwrap();
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(
        lines[0].starts_with("uid=1000(mat) gid=100(users) groups="),
        "{lines:?}"
    );
    assert_eq!(lines[1], "/home/mat");
    let value = |name: &str| {
        let line = lines.iter().find(|line| line.starts_with(name)).unwrap();
        line.split_once(':').unwrap().1.trim().to_owned()
    };
    assert_eq!(value("Groups"), "7 20 100");
    assert_eq!(value("CapInh"), "0000000000000000");
    assert_eq!(value("CapBnd"), "00000000a80425fb");
    // A user's capabilities do not survive exec unless they are ambient.
    assert_eq!(value("CapEff"), "0000000000000000");
    assert_eq!(value("NoNewPrivs"), "0");
    assert_eq!(
        guest.script("grep CapEff /proc/self/status").await,
        "CapEff:\t00000000a80425fb\n"
    );

    spec["process"]["user"] = json!({ "username": "nobody-here" });
    let error = guest.run(ID, &spec, None).await.unwrap_err();
    assert!(
        error.message.contains("no passwd entries for user nobody-here"),
        "{error}"
    );
    spec["process"]["user"] = json!({ "username": "4321:99" });
    let outcome = guest.run(ID, &spec, None).await.unwrap();
    assert!(outcome.stdout.starts_with("uid=4321 gid=99"), "{outcome:?}");
}

pub(crate) async fn paths_and_names(guest: &Guest) {
    let script = "hostname; cat /etc/hostname; wc -c </proc/kcore 2>/dev/null || echo 0; ls -A /sys/firmware | wc -l; \
                  echo 1 2>/dev/null >/proc/sys/kernel/domainname || echo refused; \
                  for l in ptmx fd stdin; do readlink /dev/$l; done; cat /proc/self/cgroup; grep -c . /proc/mounts >/dev/null; \
                  ps | wc -l; cat /proc/sys/kernel/domainname";
    let mut spec = guest.spec(&["sh", "-c", script]);
    spec["linux"]["sysctl"] = json!({ "kernel.domainname": "settings.test" });
    let outcome = guest.run(ID, &spec, None).await.unwrap();
    let expected = "boxhost\nboxhost\n0\n0\nrefused\npts/ptmx\n/proc/self/fd\n/proc/self/fd/0\n";
    let Some(rest) = outcome.stdout.strip_prefix(expected) else {
        panic!("{outcome:?}")
    };
    assert!(rest.contains("0::/\n"), "{rest}");
    assert!(rest.ends_with("\nsettings.test\n"), "{rest}");
}

pub(crate) async fn read_only_root(guest: &Guest) {
    let mut spec = guest.spec(&[
        "sh",
        "-c",
        "touch /x 2>/dev/null || echo refused; touch /dev/shm/x && echo done",
    ]);
    spec["root"]["readonly"] = json!(true);
    let outcome = guest.run(ID, &spec, None).await.unwrap();
    assert_eq!(outcome.stdout, "refused\ndone\n", "{outcome:?}");
    assert_eq!(guest.script("touch /x && echo done").await, "done\n");
}

pub(crate) async fn bind_mounts(guest: &Guest) {
    let write = |path: &str, data: &str| container_sandbox::proto::WriteFileRequest {
        path: path.into(),
        data: data.into(),
        mode: 0o600,
        flags: Some(container_sandbox::proto::write_file_request::WriteFileFlags {
            create_parent_dirs: true,
            append: false,
            create_if_missing: true,
        }),
    };
    guest
        .agent
        .write_file(write("/run/shared/file", "shared"))
        .await
        .unwrap();
    // A link in the root that leads out of it leads to the same place in it.
    let link = format!("{ROOT}/escape");
    guest
        .script("ln -s /../../../../../data /escape 2>/dev/null || busybox ln -s /../../data /escape")
        .await;
    let script = "cat /data/sub/file /one; touch /data/sub/x 2>/dev/null || echo refused; ls -A /escape; stat -c %a /one";
    let mut spec = guest.spec(&["sh", "-c", script]);
    let mounts = spec["mounts"].as_array_mut().unwrap();
    mounts.push(json!({ "destination": "/escape/sub", "type": "none", "source": "/run/shared", "options": ["rbind", "ro"] }));
    mounts.push(json!({ "destination": "/one", "source": "/run/shared/file", "options": ["bind"] }));
    let error = guest.run(ID, &spec, None).await;
    // The link dangles until its target is there.
    assert!(error.is_err());
    guest.script("mkdir /data").await;
    let outcome = guest.run(ID, &spec, None).await.unwrap();
    assert_eq!(outcome.stdout, "sharedsharedrefused\nsub\n600\n", "{outcome:?}");
    let _ = link;
}

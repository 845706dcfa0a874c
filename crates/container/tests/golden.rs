//! What `list` and `inspect` print for a container, byte for byte (behaviour.md 3 to 5): files in `tests/data/golden`.
//! `UPDATE_GOLDEN=1` writes them anew.

use std::fs;
use std::path::Path;

use container::flags::values::ListFormat;
use container::output::{json, list};
use container_resource::ContainerSnapshot;

/// A container with everything that Apple's has, and one with as little as possible.
fn containers() -> Vec<ContainerSnapshot> {
    let digest = |digit: &str| format!("sha256:{}", digit.repeat(64));
    let init = |executable: &str| {
        serde_json::json!({
            "executable": executable, "arguments": ["-c", "echo ä/b"], "environment": ["PATH=/bin", "A=b=c"],
            "workingDirectory": "/", "terminal": false, "user": { "id": { "uid": 0, "gid": 0 } },
            "supplementalGroups": [7], "rlimits": [{ "limit": "RLIMIT_NOFILE", "soft": 1, "hard": 2 }],
        })
    };
    let full = serde_json::json!({
        "id": "web",
        "status": {
            "state": "running", "startedDate": "2026-08-08T10:11:12Z",
            "networks": [{
                "network": "default", "hostname": "web.test.", "ipv4Address": "192.168.64.3/24",
                "ipv4Gateway": "192.168.64.1", "ipv6Address": "fd00::3/64", "macAddress": "f2:00:00:00:00:01", "mtu": 1280,
            }],
        },
        "configuration": {
            "id": "web", "creationDate": "2026-08-08T10:11:10Z", "runtimeHandler": "container-runtime-linux",
            "image": { "reference": "docker.io/library/busybox:latest", "descriptor": {
                "mediaType": "application/vnd.oci.image.index.v1+json", "digest": digest("a"), "size": 610,
            } },
            "platform": { "os": "linux", "architecture": "arm64", "variant": "v8" },
            "resources": { "cpus": 4, "memoryInBytes": 1 << 30, "cpuOverhead": 1, "storage": 549_755_813_888_u64 },
            "initProcess": init("/bin/sh"),
            "mounts": [
                { "type": { "tmpfs": {} }, "source": "tmpfs", "destination": "/scratch", "options": ["size=4m"] },
                { "type": { "virtiofs": {} }, "source": "/Users/me/src", "destination": "/src", "options": ["ro"] },
            ],
            "publishedPorts": [
                { "hostAddress": "0.0.0.0", "hostPort": 8080, "containerPort": 80, "proto": "tcp", "count": 2 },
            ],
            "publishedSockets": [{ "hostPath": "/tmp/s", "containerPath": "/run/s" }],
            "networks": [{ "network": "default", "options": { "hostname": "web.test.", "mtu": 1280 } }],
            "dns": { "nameservers": ["1.1.1.1"], "domain": "test", "searchDomains": ["a.b"], "options": ["ndots:2"] },
            "labels": { "com.example/key": "value", "empty": "" }, "sysctls": {}, "capAdd": ["CAP_NET_ADMIN"], "capDrop": [],
            "rosetta": false, "virtualization": false, "ssh": true, "readOnly": false, "useInit": true,
            "shmSize": 33_554_432, "stopSignal": "SIGQUIT", "maskedPaths": ["/proc/kcore"], "readonlyPaths": [],
        },
    });
    let mut bare = full.clone();
    bare["id"] = "idle".into();
    bare["status"] = serde_json::json!({ "state": "stopped", "networks": [] });
    let configuration = &mut bare["configuration"];
    configuration["id"] = "idle".into();
    configuration["initProcess"]["user"] = serde_json::json!({ "raw": { "userString": "app" } });
    for list in [
        "mounts",
        "publishedPorts",
        "publishedSockets",
        "networks",
        "capAdd",
    ] {
        configuration[list] = serde_json::json!([]);
    }
    configuration["labels"] = serde_json::json!({});
    for absent in ["dns", "shmSize", "stopSignal", "maskedPaths", "readonlyPaths"] {
        configuration.as_object_mut().expect("an object").remove(absent);
    }
    serde_json::from_value(serde_json::json!([full, bare])).expect("containers")
}

#[track_caller]
fn check(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/golden")
        .join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, text).expect("written");
    }
    let expected = fs::read_to_string(&path).expect("the expected output");
    assert!(text == expected, "{name} differs:\n{text}");
}

#[test]
fn container_list() {
    let containers = containers();
    for (format, name) in [
        (ListFormat::Table, "container-list.txt"),
        (ListFormat::Json, "container-list.json"),
        (ListFormat::Yaml, "container-list.yaml"),
        (ListFormat::Toml, "container-list.toml"),
    ] {
        check(name, &list::encode(&containers, &containers, None, format));
    }
    let ids = ["web".to_owned(), "idle".to_owned()];
    assert_eq!(
        list::encode(&containers, &containers, Some(&ids), ListFormat::Table),
        "web\nidle\n"
    );
    let none: [ContainerSnapshot; 0] = [];
    assert_eq!(list::encode(&none, &none, Some(&[]), ListFormat::Table), "");
    assert_eq!(
        list::encode(&none, &none, None, ListFormat::Table),
        "ID  IMAGE  OS  ARCH  STATE  IP  CPUS  MEMORY  STARTED\n"
    );
    assert_eq!(list::encode(&none, &none, None, ListFormat::Json), "[]\n");
}

#[test]
fn container_inspect() {
    check("container-inspect.json", &json::pretty(&containers()));
}

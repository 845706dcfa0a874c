//! `container registry`: logins at a registry with passwords and a certificate of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use container_tests::registry::{Registry, SECRET};
use container_tests::{Finished, System, Terminal, artifact};

/// A system whose services trust the registry's certificate and find programs in `bin`, with one image; no container
/// is run, so it has no kernel.
fn system() -> (System, Registry) {
    let mut system = System::unstarted();
    let registry = Registry::secured(system.home());
    let ca = system.home().join("registry/ca.pem");
    let path = format!("{}:/usr/bin:/bin", system.home().join("bin").display());
    system.boot_with(&[
        ("SSL_CERT_FILE", ca.to_str().expect("UTF-8")),
        ("CONTAINER_DEBUG", "1"),
        ("PATH", &path),
    ]);
    let archive = artifact("CONTAINER_TEST_BUSYBOX");
    system.ok(["image", "load", "-i", archive.to_str().expect("UTF-8")]);
    (system, registry)
}

fn login(system: &System, server: &str, password: &str) -> Finished {
    let arguments = [
        "registry",
        "login",
        "--scheme",
        "https",
        "-u",
        "user",
        "--password-stdin",
        server,
    ];
    system.run_with_input(arguments, format!(" {password}\n").as_bytes())
}

/// The files below `directory` that have the secret in them.
fn files_with_secret(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            found.extend(files_with_secret(&path));
        } else if kind.is_file() {
            let text = fs::read(&path).unwrap_or_default();
            if text.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()) {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn from_login_to_logout() {
    let (system, registry) = system();
    let host = registry.host.as_str();
    let credentials = system.app_root().join("credentials.json");
    let wrong = login(&system, host, "not-the-password");
    assert_eq!((wrong.code, wrong.stdout.as_str()), (1, ""), "{wrong:?}");
    let start = format!("Error: registry {host} denied access: 401 Unauthorized");
    assert!(wrong.stderr.starts_with(&start), "{wrong:?}");
    assert!(!wrong.stderr.contains("not-the-password"), "{wrong:?}");
    assert!(!credentials.exists());
    assert_eq!(system.ok(["registry", "list", "-q"]), "");
    assert_eq!(
        system.ok(["registry", "list"]),
        "HOSTNAME  USERNAME  MODIFIED  CREATED"
    );

    let right = login(&system, host, SECRET);
    let expected = Finished {
        code: 0,
        stdout: String::new(),
        stderr: "Login succeeded\n".to_owned(),
    };
    assert_eq!(right, expected);
    let mode = |path: &Path| fs::metadata(path).expect("metadata").permissions().mode() & 0o777;
    assert_eq!((mode(&credentials), mode(&system.app_root())), (0o600, 0o700));
    assert_eq!(system.ok(["registry", "ls", "-q"]), host);
    let listed: serde_json::Value =
        serde_json::from_str(&system.ok(["registry", "list", "--format", "json"])).expect("JSON");
    assert_eq!(listed[0]["id"], host);
    assert_eq!(listed[0]["name"], host);
    assert_eq!(listed[0]["username"], "user");
    assert_eq!(listed[0]["labels"], serde_json::json!({}));
    assert_eq!(listed[0]["creationDate"], listed[0]["modificationDate"]);
    for format in ["yaml", "toml"] {
        let text = system.ok(["registry", "list", "--format", format]);
        assert!(text.contains("username") && !text.contains(SECRET), "{text}");
    }

    let reference = registry.reference("team/tool:1");
    let images = system.ok(["image", "list", "-q"]);
    let image = images.lines().next().expect("an image").to_owned();
    system.ok(["image", "tag", &image, &reference]);
    assert_eq!(
        system.ok(["image", "push", "--scheme", "https", &reference]),
        reference
    );
    system.ok(["image", "delete", &reference, &image]);
    system.ok(["image", "pull", "--scheme", "https", &reference]);

    assert_eq!(system.ok(["registry", "logout", host]), "");
    assert_eq!(system.ok(["registry", "logout", host]), "", "again is fine");
    assert_eq!(system.ok(["registry", "list", "-q"]), "");
    let denied = system.fails(["image", "pull", "--scheme", "https", &reference]);
    let end = format!(", no credentials found for host {host}\n");
    assert!(denied.stderr.ends_with(&end), "{denied:?}");
    assert_eq!(files_with_secret(system.home()), Vec::<PathBuf>::new());
    assert!(system.logs().contains("DEBUG"), "there are logs to look into");
}

#[test]
fn what_login_refuses() {
    let (system, registry) = system();
    let host = registry.host.as_str();
    let no_name = system.fails(["registry", "login", "--password-stdin", host]);
    assert_eq!(
        (no_name.code, no_name.stderr.as_str()),
        (1, "Error: must provide --username with --password-stdin\n")
    );
    let scheme = system.fails(["registry", "login", "--scheme", "ftp", "-u", "user", host]);
    assert_eq!(scheme.stderr, "Error: unsupported scheme ftp\n");
    let url = login(&system, "https://example.com", SECRET);
    assert_eq!(url.stderr, "Error: invalid host https://example.com\n");
    let nothing = login(&system, host, "");
    assert!(
        nothing.stderr.contains("standard input is not a terminal"),
        "{nothing:?}"
    );
    let arguments = ["registry", "login", "-u", "user", "--password-stdin", host];
    let binary = system.run_with_input(arguments, &[0xff, 0xfe]);
    assert_eq!(binary.stderr, "Error: failed to read password from stdin\n");
}

#[test]
fn a_terminal_is_asked_and_does_not_show_the_password() {
    let (system, registry) = system();
    let host = registry.host.as_str();
    let mut terminal = Terminal::start(
        system.command(["registry", "login", "--scheme", "https", host]),
        80,
        24,
    );
    terminal.expect(&format!("Provide registry username {host}: "));
    assert!(terminal.echoes());
    terminal.press("user\r");
    terminal.expect("Provide registry password: ");
    assert!(!terminal.echoes());
    terminal.press(&format!("{SECRET}\r"));
    let shown = terminal.expect("Login succeeded");
    assert!(!shown.contains(SECRET), "{shown:?}");
    assert_eq!(terminal.wait(), 0);
    assert!(terminal.echoes());
    assert_eq!(system.ok(["registry", "list", "-q"]), host);

    let mut terminal = Terminal::start(
        system.command(["registry", "login", "--scheme", "https", "-u", "user", host]),
        80,
        24,
    );
    terminal.expect("Provide registry password: ");
    assert!(!terminal.echoes());
    terminal.signal("INT");
    assert_eq!(terminal.wait(), 130);
    assert!(terminal.echoes(), "the terminal is as it was");
}

#[test]
fn credential_helpers() {
    let (system, registry) = system();
    let host = registry.host.as_str();
    let reference = registry.reference("tool:1");
    login(&system, host, SECRET);
    let images = system.ok(["image", "list", "-q"]);
    let image = images.lines().next().expect("an image").to_owned();
    system.ok(["image", "tag", &image, &reference]);
    system.ok(["image", "push", "--scheme", "https", &reference]);
    system.ok(["registry", "logout", host]);
    system.ok(["image", "delete", &reference, &image]);

    let configuration = system.home().join(".docker");
    fs::create_dir(&configuration).expect("a directory");
    let text = serde_json::json!({ "credHelpers": { host: "test" } });
    fs::write(configuration.join("config.json"), text.to_string()).expect("the configuration");
    let missing = system.fails(["image", "pull", "--scheme", "https", &reference]);
    let end = format!(
        ", no credentials found for host {host} (docker-credential-test is not in the PATH of the image service)\n"
    );
    assert!(missing.stderr.ends_with(&end), "{missing:?}");

    let bin = system.home().join("bin");
    fs::create_dir(&bin).expect("a directory");
    let program = bin.join("docker-credential-test");
    let script = format!(
        "#!/bin/sh\nread server\n[ \"$1 $server\" = 'get {host}' ] || exit 1\n\
         echo '{{\"ServerURL\": \"{host}\", \"Username\": \"user\", \"Secret\": \"{SECRET}\"}}'\n"
    );
    fs::write(&program, script).expect("the helper");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("its mode");
    system.ok(["image", "pull", "--scheme", "https", &reference]);
    assert_eq!(files_with_secret(system.home()), [program]);
}

#[test]
fn mirrors_from_the_configuration() {
    let mut system = System::unstarted();
    let mirror = Registry::open(system.home());
    let configuration = system.home().join(".config/container");
    fs::create_dir_all(&configuration).expect("a directory");
    let text = format!("[registry.mirrors]\n\"docker.io\" = [\"{}/hub\"]\n", mirror.host);
    fs::write(configuration.join("config.toml"), &text).expect("the configuration");
    system.boot();
    let printed = system.ok(["system", "property", "list"]);
    assert!(printed.contains("docker.io\" = ["), "{printed}");
    let archive = artifact("CONTAINER_TEST_BUSYBOX");
    let loaded = system.ok(["image", "load", "-i", archive.to_str().expect("UTF-8")]);
    let copy = mirror.reference("hub/library/mirrored:1");
    system.ok(["image", "tag", &loaded, &copy]);
    system.ok(["image", "push", &copy]);
    system.ok(["image", "delete", "--all"]);
    system.ok(["image", "pull", "mirrored:1"]);
    assert_eq!(system.ok(["image", "list", "-q"]), "mirrored:1");
}

//! The scripts that sign, package and remove programs on macOS, with stand-ins for its tools.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A directory of tools that write down how they were called.
struct Tools {
    directory: tempfile::TempDir,
}

impl Tools {
    fn new(tools: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, script) in tools {
            let path = directory.path().join("bin").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(
                &path,
                format!("#!/bin/sh\necho \"{name} $*\" >> $CALLS\n{script}\n"),
            )
            .unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn run(&self, script: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let path = format!("{}:/usr/bin:/bin", self.path("bin").display());
        Command::new("bash")
            .arg(scripts().join(script))
            .args(arguments)
            .env_clear()
            .env("PATH", path)
            .env("CALLS", self.path("calls"))
            .env("HOME", self.path("home"))
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    }

    fn calls(&self) -> String {
        fs::read_to_string(self.path("calls")).unwrap_or_default()
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/macos")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The end of a call of codesign for `program`.
fn with_entitlements(program: &str) -> String {
    let file = scripts()
        .canonicalize()
        .unwrap()
        .join(format!("{program}.entitlements"));
    format!("--entitlements {} /out/{program}\n", file.display())
}

#[test]
fn every_program_is_signed_with_what_it_needs() {
    let tools = Tools::new(&[("codesign", "")]);
    let programs = [
        "/out",
        "container",
        "container-runtime-linux",
        "container-network-vmnet",
    ];
    assert!(tools.run("sign.sh", &programs, &[]).status.success());
    let calls = tools.calls();
    assert!(
        calls.contains(
            "codesign --force --sign - --identifier dev.container.cli --timestamp=none /out/container\n"
        ),
        "{calls}"
    );
    for program in ["container-runtime-linux", "container-network-vmnet"] {
        assert!(calls.contains(&with_entitlements(program)), "{calls}");
        let read = Command::new("python3")
            .args([
                "-c",
                "import plistlib, sys; print(plistlib.load(open(sys.argv[1], 'rb')))",
            ])
            .arg(scripts().join(format!("{program}.entitlements")))
            .output()
            .unwrap();
        // Nothing more: macOS kills programs that claim what Apple grants, such as com.apple.vm.networking.
        assert_eq!(
            text(&read.stdout),
            "{'com.apple.security.virtualization': True}\n",
            "{}",
            text(&read.stderr)
        );
    }

    let certificate = [("CODESIGN_IDENTITY", "Developer ID Application: X")];
    assert!(tools.run("sign.sh", &programs, &certificate).status.success());
    let calls = tools.calls();
    assert!(
        calls.contains("--options runtime --timestamp /out/container\n"),
        "{calls}"
    );

    let tools = Tools::new(&[("codesign", "exit 1")]);
    assert!(!tools.run("sign.sh", &programs, &[]).status.success());
}

/// A package of two files below a directory, as pkgutil tells of it.
const PKGUTIL: &str = r#"case "$*" in
*--pkg-info*) echo "package-id: dev.container.installer"; echo "location: ${LOCATION#/}" ;;
*--only-files*) echo "bin/container"; echo "libexec/container/a b" ;;
*--only-dirs*) echo "bin"; echo "libexec"; echo "libexec/container" ;;
esac"#;

#[test]
fn uninstalling_removes_the_package_and_data_only_when_asked() {
    for (option, keeps) in [("-k", true), ("-d", false)] {
        let tools = Tools::new(&[
            ("pkgutil", PKGUTIL),
            ("launchctl", "echo '12 0 com.apple.other'"),
            ("sudo", "exec \"$@\""),
        ]);
        for file in [
            "local/bin/container",
            "local/bin/mine",
            "local/libexec/container/a b",
        ] {
            fs::create_dir_all(tools.path(file).parent().unwrap()).unwrap();
            fs::write(tools.path(file), "").unwrap();
        }
        let data = tools.path("home/Library/Application Support/com.apple.container");
        fs::create_dir_all(&data).unwrap();
        let location = tools.path("local").display().to_string();
        let done = tools.run("uninstall-container.sh", &[option], &[("LOCATION", &location)]);
        assert!(done.status.success(), "{}", text(&done.stderr));
        assert!(!tools.path("local/libexec").exists());
        assert!(!tools.path("local/bin/container").exists());
        assert!(tools.path("local/bin/mine").exists(), "it is not the package's");
        assert_eq!(data.exists(), keeps);
        assert!(
            tools
                .calls()
                .contains("pkgutil --forget dev.container.installer\n")
        );
    }
}

#[test]
fn uninstalling_refuses_what_would_go_wrong() {
    let running = "printf '4711\\t0\\tdev.container.apiserver.0123\\n'";
    for (launchctl, package, option, reason) in [
        (running, PKGUTIL, "-k", "container system stop"),
        ("", "exit 1", "-k", "is not installed"),
        ("", PKGUTIL, "-x", "uninstall-container.sh -d | -k"),
    ] {
        let tools = Tools::new(&[("pkgutil", package), ("launchctl", launchctl), ("sudo", "exit 1")]);
        let done = tools.run("uninstall-container.sh", &[option], &[("LOCATION", "/nowhere")]);
        assert!(!done.status.success());
        assert!(text(&done.stderr).contains(reason), "{}", text(&done.stderr));
        assert!(!tools.calls().contains("--forget"));
    }
}

#[test]
fn the_formula_says_where_the_sources_are() {
    let tools = Tools::new(&[]);
    let (url, sum) = (
        "https://example.com/x/container/archive/v1.tar.gz",
        "a".repeat(64),
    );
    let done = tools.run("formula.sh", &[url, &sum], &[]);
    let formula = text(&done.stdout);
    assert!(
        formula.contains(&format!("  url \"{url}\"\n  sha256 \"{sum}\"\n")),
        "{formula}"
    );
    assert!(
        formula.contains("homepage \"https://example.com/x/container\""),
        "{formula}"
    );
    for (url, sum) in [
        (url, "short"),
        ("file:///x", &sum),
        ("https://x/\"; system 'x", &sum),
    ] {
        assert!(!tools.run("formula.sh", &[url, sum], &[]).status.success());
    }
}

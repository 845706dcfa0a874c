//! What the program prints when it does not get as far as a service: help, version, usage errors (behaviour.md 1.1,
//! 2.2, 24.5).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

fn container(words: &[&str]) -> Output {
    // An empty installation: no plugins of the developer's machine, no services.
    Command::new(env!("CARGO_BIN_EXE_container"))
        .args(words)
        .env("CONTAINER_INSTALL_ROOT", "/nonexistent")
        .output()
        .expect("the program runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

#[track_caller]
fn refused(words: &[&str], text: &str) {
    let output = container(words);
    assert_eq!(stderr(&output), text);
    assert_eq!(stdout(&output), "");
    assert_eq!(output.status.code(), Some(64));
}

#[test]
fn version_has_one_line() {
    let output = container(&["--version"]);
    let text = stdout(&output);
    assert!(
        text.starts_with(concat!(
            "container CLI version ",
            env!("CARGO_PKG_VERSION"),
            " (build: "
        )),
        "{text}"
    );
    assert!(
        text.trim_end().ends_with(')') && text.contains(", commit: ") && text.lines().count() == 1,
        "{text}"
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn root_help_is_the_same_however_it_is_asked_for() {
    let bare = container(&[]);
    assert_eq!(bare.status.code(), Some(0));
    for words in [&["-h"][..], &["--help"], &["help"]] {
        assert_eq!(stdout(&container(words)), stdout(&bare), "{words:?}");
    }
    let text = stdout(&bare);
    let headings: Vec<&str> = text
        .lines()
        .filter(|line| line.ends_with("SUBCOMMANDS:"))
        .collect();
    assert_eq!(
        headings,
        [
            "CONTAINER SUBCOMMANDS:",
            "IMAGE SUBCOMMANDS:",
            "MACHINE SUBCOMMANDS:",
            "VOLUME SUBCOMMANDS:",
            "OTHER SUBCOMMANDS:"
        ]
    );
}

#[test]
fn help_of_a_command_by_name_or_alias() {
    let text = stdout(&container(&["image", "list", "--help"]));
    assert_eq!(
        text,
        "OVERVIEW: List images\n\n\
         USAGE: container image list [--format <format>] [--quiet] [--verbose] [--debug]\n\n\
         LOGGING OPTIONS:\n\
         \x20 --debug                 Emit debug-level log lines on stderr\n\n\
         OPTIONS:\n\
         \x20 --format <format>       Output format (values: json, table, yaml, toml;\n\
         \x20                         default: table)\n\
         \x20 -q, --quiet             Reference only\n\
         \x20 -v, --verbose           One row per platform with sizes\n\
         \x20 -h, --help              Show help information.\n"
    );
    assert_eq!(stdout(&container(&["help", "i", "ls"])), text);
    assert_eq!(stdout(&container(&["image", "ls", "-h"])), text);
}

#[test]
fn help_wins_over_missing_arguments() {
    let output = container(&["run", "-d", "--help"]);
    assert!(
        stdout(&output)
            .starts_with("OVERVIEW: Create and start a container\n\nUSAGE: container run [<options>]")
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn hidden_options_are_shown_on_request() {
    assert!(!stdout(&container(&["build", "--help"])).contains("--cache-in"));
    assert!(stdout(&container(&["build", "--help-hidden"])).contains("--cache-in"));
}

#[test]
fn a_group_alone_prints_its_help() {
    let output = container(&["image"]);
    assert!(stdout(&output).contains("\nSUBCOMMANDS:\n  delete, rm"));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn unknown_option() {
    refused(
        &["list", "--bogus"],
        "Error: Unknown option '--bogus'\n\
         Usage: container list [--all] [--format <format>] [--quiet] [--debug]\n\
         \x20 See 'container list --help' for more information.\n",
    );
    refused(
        &["list", "--quit"],
        "Error: Unknown option '--quit'. Did you mean '--quiet'?\n\
         Usage: container list [--all] [--format <format>] [--quiet] [--debug]\n\
         \x20 See 'container list --help' for more information.\n",
    );
}

#[test]
fn wrong_and_missing_values() {
    refused(
        &["list", "--format", "xml"],
        "Error: The value 'xml' is invalid for '--format <format>'. Please provide one of 'json', 'table', 'yaml' or \
         'toml'.\n\
         Help:  --format <format>  Output format\n\
         Usage: container list [--all] [--format <format>] [--quiet] [--debug]\n\
         \x20 See 'container list --help' for more information.\n",
    );
    refused(
        &["logs", "x", "-n"],
        "Error: Missing value for '-n <n>'\n\
         Help:  -n <n>  Last N lines\n\
         Usage: container logs [--boot] [--follow] [-n <n>] [--since <time>] [--timestamps] [--until <time>] [--debug] <container-id>\n\
         \x20 See 'container logs --help' for more information.\n",
    );
    refused(
        &["stop", "-t", "soon", "x"],
        "Error: The value 'soon' is invalid for '--time <time>'\n\
         Help:  --time <time>  Grace period in seconds; 5 when absent, or the container's own\n\
         Usage: container stop [--all] [--signal <signal>] [--time <time>] [--debug] [<container-ids> ...]\n\
         \x20 See 'container stop --help' for more information.\n",
    );
}

#[test]
fn missing_and_surplus_arguments() {
    refused(
        &["copy", "a"],
        "Error: Missing expected argument '<destination>'\n\
         Help:  <destination>  Local path or container:/abs/path\n\
         Usage: container copy [--debug] <source> <destination>\n\
         \x20 See 'container copy --help' for more information.\n",
    );
    refused(
        &["image", "tag", "a", "b", "c"],
        "Error: Unexpected argument 'c'\n\
         Usage: container image tag [--debug] <source> <target>\n\
         \x20 See 'container image tag --help' for more information.\n",
    );
    let output = container(&["run"]);
    assert!(stderr(&output).starts_with("Error: Missing expected argument '<image>'\n\nOVERVIEW: "));
    assert_eq!(output.status.code(), Some(64));
}

#[test]
fn unknown_words() {
    refused(
        &["help", "a", "b"],
        "Error: unknown command 'a b'\n\
         Usage: container [--debug] <subcommand>\n\
         \x20 See 'container --help' for more information.\n",
    );
    refused(
        &["--bogus"],
        "Error: unknown option '--bogus'\n\
         Usage: container [--debug] <subcommand>\n\
         \x20 See 'container --help' for more information.\n",
    );
    refused(
        &[""],
        "Error: unknown argument ''\n\
         Usage: container [--debug] <subcommand>\n\
         \x20 See 'container --help' for more information.\n",
    );
    refused(
        &["image", "bogus"],
        "Error: Unexpected argument 'bogus'\n\
         Usage: container image [--debug] <subcommand>\n\
         \x20 See 'container image --help' for more information.\n",
    );
}

#[test]
fn plugins_take_over_unknown_words() {
    let root = tempfile::tempdir().expect("directory");
    let plugin = root.path().join("libexec/container-plugins/hello");
    fs::create_dir_all(plugin.join("bin")).expect("directory");
    fs::write(plugin.join("config.toml"), "abstract = \"Says hello\"\n").expect("configuration");
    let program = plugin.join("bin/hello");
    fs::write(&program, "#!/bin/sh\necho \"$@\"\nexit 7\n").expect("program");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("mode");
    let run = |words: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_container"))
            .args(words)
            .env("CONTAINER_INSTALL_ROOT", root.path())
            .output()
            .expect("the program runs")
    };
    let output = run(&["hello", "-x", "--help", "y"]);
    assert_eq!(
        (stdout(&output).as_str(), output.status.code()),
        ("-x --help y\n", Some(7))
    );
    assert!(stdout(&run(&["--help"])).ends_with("\nPLUGINS:\n  hello                   Says hello\n"));
}

#[test]
fn completion_scripts_for_three_shells() {
    for shell in ["zsh", "bash", "fish"] {
        let output = container(&["--generate-completion-script", shell]);
        assert!(stdout(&output).contains("container"), "{shell}");
        assert_eq!(output.status.code(), Some(0));
    }
}

#[test]
fn the_command_tree_as_json() {
    let output = container(&["--experimental-dump-help"]);
    let tree: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!(tree["serializationVersion"], 0);
    let commands = tree["command"]["subcommands"].as_array().expect("subcommands");
    assert!(commands.iter().any(|command| command["commandName"] == "run"));
}

#[test]
fn commands_of_later_work_say_so() {
    let output = container(&["machine", "create", "alpine"]);
    assert_eq!(
        stderr(&output),
        "Error: container machine create: this version does not have it yet\n"
    );
    assert_eq!(output.status.code(), Some(1));
}

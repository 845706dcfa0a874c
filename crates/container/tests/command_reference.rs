//! `docs/command-reference.md` is written from the parser's model. `UPDATE_DOCS=1 cargo test -p container --test
//! command_reference` writes it anew; without the variable the test fails when it is out of date.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use clap::{Arg, ArgAction, Command};
use container::cli::{HELP_GROUPS, command};
use container::help::{Located, option_label, positionals, usage_line};

const INTRODUCTION: &str = "# Command reference

Every command with its options, written from the command line's own parser by
`crates/container/tests/command_reference.rs`. `container help <command>` prints the same on the terminal.
What differs from Apple's tool is in [compatibility.md](compatibility.md).

Every command also has `-h`/`--help`. Long options take their value as `--option value` or `--option=value`, short ones as
`-o value`, `-ovalue` or `-o=value`; short flags can be joined (`-it`). `--` ends the options. For `run`, `create`, `exec`
and `machine run` options end at the first word that is none: everything after it belongs to the process.
";

#[test]
fn the_reference_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/command-reference.md");
    let text = reference();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, text).expect("written");
        return;
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == text,
        "docs/command-reference.md is out of date: run this test with UPDATE_DOCS=1"
    );
}

fn reference() -> String {
    let root = command();
    let mut text = INTRODUCTION.to_owned();
    for (title, names) in HELP_GROUPS {
        let _ = write!(text, "\n## {title}\n");
        for name in *names {
            let at = Located::find(&root, &[(*name).to_owned()]).expect("a command");
            describe(&root, &at, &mut text);
        }
    }
    text
}

fn describe(root: &Command, at: &Located<'_>, text: &mut String) {
    let about = at
        .command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    let _ = write!(text, "\n### {}\n\n{about}.", at.words());
    let aliases: Vec<String> = at
        .command
        .get_visible_aliases()
        .map(|alias| format!("`{alias}`"))
        .collect();
    if !aliases.is_empty() {
        let _ = write!(text, " Alias: {}.", aliases.join(", "));
    }
    let _ = write!(text, "\n\n```text\n{}\n```\n", usage_line(at));
    table(at.command, text);
    for child in at.command.get_subcommands() {
        let words: Vec<String> = at.path[1..]
            .iter()
            .chain([&child.get_name()])
            .map(|word| (*word).to_owned())
            .collect();
        let child = Located::find(root, &words).expect("a command");
        describe(root, &child, text);
    }
}

fn table(command: &Command, text: &mut String) {
    let mut rows = Vec::new();
    for arg in command.get_positionals() {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        for (name, help) in positionals(arg).into_iter().zip(help.lines()) {
            rows.push((format!("<{name}>"), help.to_owned()));
        }
    }
    let listed = |arg: &&Arg| !arg.is_positional() && !arg.is_hide_set() && arg.get_id() != "help";
    for arg in command.get_arguments().filter(listed) {
        rows.push((option_label(arg), help(arg)));
    }
    if rows.is_empty() {
        return;
    }
    text.push_str("\n| argument | meaning |\n| --- | --- |\n");
    for (label, help) in rows {
        let _ = writeln!(
            text,
            "| `{}` | {} |",
            cell(&label),
            cell(&help).replace('<', "&lt;")
        );
    }
}

/// The help of an option, with its values, its default and whether it can be repeated.
fn help(arg: &Arg) -> String {
    let mut text = arg.get_help().map(ToString::to_string).unwrap_or_default();
    if !arg.get_action().takes_values() {
        return text;
    }
    let mut notes = Vec::new();
    if matches!(arg.get_action(), ArgAction::Append) {
        notes.push("repeatable".to_owned());
    }
    let values: Vec<String> = arg
        .get_possible_values()
        .iter()
        .map(|v| format!("`{}`", v.get_name()))
        .collect();
    if !values.is_empty() {
        notes.push(format!("one of {}", values.join(", ")));
    }
    if let Some(default) = arg.get_default_values().first() {
        notes.push(format!("default `{}`", default.to_string_lossy()));
    }
    if !notes.is_empty() {
        let _ = write!(text, " ({})", notes.join("; "));
    }
    text
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

//! The parser's own model against the recorded command surface of Apple's tool (`tests/data/cli-surface.json`).
//!
//! Every difference must stand in the table "Differences of the command line" of `docs/compatibility.md`, and every
//! row of that table must be a difference.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use clap::{Arg, ArgAction, Command};
use serde::Deserialize;

/// Defaults that the recorded surface describes in words because they depend on the host, on the configuration or on
/// another option. The parser leaves such options empty.
const COMPUTED_DEFAULTS: &[&str] = &[
    "",
    "$CONTAINER_APP_ROOT or ~/Library/Application Support/com.apple.container",
    "$CONTAINER_INSTALL_ROOT or grandparent of the executable",
    "$CONTAINER_LOG_ROOT or the macOS unified log",
    "512 GiB",
    "<last path component>-<tag>",
    "Dockerfile, then Containerfile, in the context",
    "[build].cpus (2)",
    "[build].memory (2048mb)",
    "[container].cpus of the system config (4)",
    "[container].memory of the system config (1gb)",
    "[host architecture]",
    "[machine].cpus or max(ncpu/2,4)",
    "[machine].memory or max(half of RAM,1 GiB)",
    "architecture of the host (arm64)",
    "ask",
    "default machine",
    "first existing path of $KUBECONFIG, else ~/.kube/config",
    "host architecture",
    "max(host RAM GB/4,2)g",
    "max(host cpus/4,2)",
    "one random lower-case UUID",
    "random lower-case UUID",
    "stdin",
    "stdout",
];

/// Options whose words are checked when the command runs (exit 1), not by the parser (exit 64).
const CHECKED_LATER: &[&str] = &["--scheme", "--ulimit", "--ssh", "--arch"];

#[derive(Deserialize)]
struct Surface {
    commands: Vec<RecordedCommand>,
}

#[derive(Deserialize)]
struct RecordedCommand {
    path: String,
    aliases: Vec<String>,
    hidden: bool,
    help_group: Option<String>,
    arguments: Vec<RecordedArgument>,
    options: Vec<RecordedOption>,
}

#[derive(Deserialize)]
struct RecordedArgument {
    name: String,
    required: bool,
    variadic: bool,
    default: Option<String>,
}

#[derive(Deserialize)]
struct RecordedOption {
    names: Vec<String>,
    takes_value: bool,
    value_name: Option<String>,
    allowed_values: Option<Vec<String>>,
    default: Option<serde_json::Value>,
    repeatable: bool,
    hidden: bool,
    group: String,
}

/// (command path, item, property)
type Difference = (String, String, String);

#[derive(Default)]
struct Comparison {
    found: BTreeSet<Difference>,
    details: Vec<String>,
}

impl Comparison {
    fn check<T: PartialEq + std::fmt::Debug>(
        &mut self,
        path: &str,
        item: &str,
        property: &str,
        want: &T,
        have: &T,
    ) {
        if want != have {
            self.found
                .insert((path.to_owned(), item.to_owned(), property.to_owned()));
            self.details.push(format!(
                "{path} {item} {property}: recorded {want:?}, here {have:?}"
            ));
        }
    }
}

#[test]
fn the_surface_is_the_recorded_one_except_for_the_documented_differences() {
    let surface: Surface =
        serde_json::from_str(include_str!("data/cli-surface.json")).expect("recorded surface");
    let root = container::cli::command();
    let mut comparison = Comparison::default();
    let mut known = BTreeSet::from(["container".to_owned()]);
    for recorded in &surface.commands {
        known.insert(recorded.path.clone());
        compare_command(&mut comparison, &root, recorded);
    }
    for path in all_paths(&root, "") {
        comparison.check(&path, "command", "exists", &known.contains(&path), &true);
    }
    let documented = documented_differences();
    let undocumented: Vec<_> = comparison.found.difference(&documented).collect();
    let stale: Vec<_> = documented.difference(&comparison.found).collect();
    assert!(
        undocumented.is_empty(),
        "not in docs/compatibility.md: {undocumented:#?}\n{:#?}",
        comparison.details
    );
    assert!(
        stale.is_empty(),
        "in docs/compatibility.md, but no difference: {stale:#?}"
    );
}

fn compare_command(comparison: &mut Comparison, root: &Command, recorded: &RecordedCommand) {
    let path = recorded.path.as_str();
    if path == "<plugin>" {
        comparison.check(
            path,
            "command",
            "exists",
            &true,
            &root.is_allow_external_subcommands_set(),
        );
        return;
    }
    let found = path
        .split(' ')
        .filter(|word| *word != "container")
        .try_fold(root, Command::find_subcommand);
    comparison.check(path, "command", "exists", &true, &found.is_some());
    let Some(command) = found else { return };
    let aliases: Vec<String> = command.get_visible_aliases().map(str::to_owned).collect();
    comparison.check(path, "command", "aliases", &recorded.aliases, &aliases);
    comparison.check(
        path,
        "command",
        "hidden",
        &recorded.hidden,
        &command.is_hide_set(),
    );
    comparison.check(
        path,
        "command",
        "help group",
        &recorded.help_group,
        &help_group(path),
    );
    comparison.check(path, "command", "about", &true, &command.get_about().is_some());
    compare_arguments(comparison, path, command, recorded);
    compare_options(comparison, path, command, recorded);
}

fn help_group(path: &str) -> Option<String> {
    let (title, _) = container::cli::HELP_GROUPS
        .iter()
        .find(|(_, names)| names.contains(&path))?;
    Some((*title).to_owned())
}

/// One entry per value name: name, required, variadic, default.
fn compare_arguments(comparison: &mut Comparison, path: &str, command: &Command, recorded: &RecordedCommand) {
    let want: Vec<_> = recorded
        .arguments
        .iter()
        .map(|a| (a.name.clone(), a.required, a.variadic, a.default.clone()))
        .collect();
    let mut have = Vec::new();
    for arg in command.get_positionals() {
        let names = container::help::positionals(arg);
        let range = arg.get_num_args().expect("a built command");
        let last = names.len() - 1;
        for (index, name) in names.iter().enumerate() {
            let required = arg.is_required_set() && index < range.min_values().max(1);
            let variadic = index == last && range.max_values() > names.len();
            have.push((name.clone(), required, variadic, defaults(arg).pop()));
        }
    }
    comparison.check(path, "arguments", "list", &want, &have);
}

fn compare_options(comparison: &mut Comparison, path: &str, command: &Command, recorded: &RecordedCommand) {
    let mut seen = BTreeSet::new();
    for option in &recorded.options {
        // One recorded entry may stand for a pair of flags: --enable-x and --disable-x.
        let args: Vec<&Arg> = command
            .get_arguments()
            .filter(|arg| names(arg).iter().any(|name| option.names.contains(name)))
            .collect();
        let item = option.names.last().expect("a name").as_str();
        let mut have: Vec<String> = args.iter().flat_map(|arg| names(arg)).collect();
        let mut want = option.names.clone();
        have.sort();
        want.sort();
        comparison.check(path, item, "names", &want, &have);
        for arg in args {
            seen.insert(arg.get_id().to_string());
            compare_option(comparison, path, item, option, arg);
        }
    }
    for arg in command.get_arguments().filter(|arg| !arg.is_positional()) {
        // The recorded surface mentions the help flags of the root only.
        let is_help = ["help", "help_hidden"].contains(&arg.get_id().as_str());
        let item = names(arg).pop().expect("a name");
        comparison.check(
            path,
            &item,
            "exists",
            &(is_help || seen.contains(arg.get_id().as_str())),
            &true,
        );
    }
}

fn compare_option(comparison: &mut Comparison, path: &str, item: &str, option: &RecordedOption, arg: &Arg) {
    let takes_value = arg.get_action().takes_values();
    comparison.check(path, item, "takes a value", &option.takes_value, &takes_value);
    let repeatable = matches!(arg.get_action(), ArgAction::Append);
    comparison.check(path, item, "repeatable", &option.repeatable, &repeatable);
    comparison.check(path, item, "hidden", &option.hidden, &arg.is_hide_set());
    let heading = arg
        .get_help_heading()
        .map(|heading| heading.trim_end_matches(" options").to_lowercase());
    let group = option
        .group
        .split('/')
        .next()
        .map(|group| group.replace('-', " "))
        .filter(|group| group != "options");
    comparison.check(path, item, "group", &group, &heading);
    if takes_value {
        let value_name = container::help::positionals(arg).pop();
        comparison.check(path, item, "value name", &option.value_name, &value_name);
    }
    if takes_value && !CHECKED_LATER.contains(&item) {
        let values: Vec<String> = arg
            .get_possible_values()
            .iter()
            .map(|v| v.get_name().to_owned())
            .collect();
        comparison.check(
            path,
            item,
            "values",
            &option.allowed_values.clone().unwrap_or_default(),
            &values,
        );
    }
    if takes_value {
        comparison.check(path, item, "default", &recorded_default(option), &defaults(arg));
    }
}

fn recorded_default(option: &RecordedOption) -> Vec<String> {
    match &option.default {
        None => Vec::new(),
        Some(serde_json::Value::String(text)) if COMPUTED_DEFAULTS.contains(&text.as_str()) => Vec::new(),
        Some(serde_json::Value::String(text)) => vec![text.clone()],
        Some(serde_json::Value::Array(values)) => values
            .iter()
            .map(|value| value.as_str().expect("a word").to_owned())
            .collect(),
        Some(value) => vec![value.to_string()],
    }
}

fn defaults(arg: &Arg) -> Vec<String> {
    arg.get_default_values()
        .iter()
        .map(|value| value.to_string_lossy().into_owned())
        .collect()
}

fn names(arg: &Arg) -> Vec<String> {
    let mut names: Vec<String> = arg
        .get_short()
        .into_iter()
        .map(|short| format!("-{short}"))
        .collect();
    names.extend(arg.get_long().into_iter().map(|long| format!("--{long}")));
    names.extend(
        arg.get_visible_aliases()
            .unwrap_or_default()
            .into_iter()
            .map(|long| format!("--{long}")),
    );
    names
}

fn all_paths(command: &Command, prefix: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for child in command.get_subcommands() {
        let path = format!("{prefix}{}", child.get_name());
        paths.extend(all_paths(child, &format!("{path} ")));
        paths.push(path);
    }
    paths
}

/// Rows of the table that follows the heading "Differences of the command line": command, item, property, reason.
fn documented_differences() -> BTreeSet<Difference> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/compatibility.md");
    let text = fs::read_to_string(path).expect("docs/compatibility.md");
    let section = text
        .split("\n## ")
        .find(|section| section.starts_with("Differences of the command line"));
    section
        .expect("the section")
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let cells: Vec<&str> = line
                .trim_matches('|')
                .split('|')
                .map(|cell| cell.trim().trim_matches('`'))
                .collect();
            assert!(
                cells.len() == 4 && !cells[3].is_empty(),
                "four cells, the last one a reason: {line}"
            );
            (cells[0].to_owned(), cells[1].to_owned(), cells[2].to_owned())
        })
        .collect()
}

//! The command tree as JSON, in the layout that swift-argument-parser documents as `ToolInfo` version 0.

use clap::{Arg, ArgAction, Command};
use serde_json::{Map, Value, json};

use super::usage::{help_lines, longs, positionals};

/// The whole tree as pretty JSON.
pub fn dump(root: &Command) -> String {
    let tree = json!({ "serializationVersion": 0, "command": command_info(root, &[]) });
    format!("{tree:#}")
}

fn command_info(command: &Command, parents: &[&str]) -> Value {
    let mut info = Map::new();
    info.insert("commandName".to_owned(), json!(command.get_name()));
    info.insert("shouldDisplay".to_owned(), json!(!command.is_hide_set()));
    if let Some(about) = command.get_about() {
        info.insert("abstract".to_owned(), json!(about.to_string()));
    }
    let aliases: Vec<&str> = command.get_visible_aliases().collect();
    if !aliases.is_empty() {
        info.insert("aliases".to_owned(), json!(aliases));
    }
    if !parents.is_empty() {
        info.insert("superCommands".to_owned(), json!(parents));
    }
    let arguments: Vec<Value> = command.get_arguments().flat_map(argument_infos).collect();
    if !arguments.is_empty() {
        info.insert("arguments".to_owned(), json!(arguments));
    }
    let mut path = parents.to_vec();
    path.push(command.get_name());
    let children: Vec<Value> = command
        .get_subcommands()
        .map(|child| command_info(child, &path))
        .collect();
    if !children.is_empty() {
        info.insert("subcommands".to_owned(), json!(children));
    }
    Value::Object(info)
}

/// One entry per option; one per value name for positionals.
fn argument_infos(arg: &Arg) -> Vec<Value> {
    if arg.is_positional() {
        let names = positionals(arg);
        let last = names.len().saturating_sub(1);
        let repeats = arg
            .get_num_args()
            .is_some_and(|range| range.max_values() > names.len());
        return names
            .iter()
            .zip(help_lines(arg))
            .enumerate()
            .map(|(index, (name, help))| {
                json!({
                    "kind": "positional", "valueName": name, "abstract": help, "shouldDisplay": true,
                    "isOptional": !arg.is_required_set() || (index > 0 && index == last),
                    "isRepeating": repeats && index == last,
                })
            })
            .collect();
    }
    let mut names: Vec<Value> = arg
        .get_short()
        .into_iter()
        .map(|s| json!({ "kind": "short", "name": s }))
        .collect();
    names.extend(
        longs(arg)
            .into_iter()
            .map(|long| json!({ "kind": "long", "name": long })),
    );
    let takes_value = arg.get_action().takes_values();
    let mut info = json!({
        "kind": if takes_value { "option" } else { "flag" },
        "names": names, "shouldDisplay": !arg.is_hide_set(), "isOptional": !arg.is_required_set(),
        "isRepeating": matches!(arg.get_action(), ArgAction::Append), "abstract": help_lines(arg).join(" "),
    });
    info["preferredName"] = names_preferred(arg);
    if takes_value {
        info["valueName"] = json!(positionals(arg).first());
        let values: Vec<String> = arg
            .get_possible_values()
            .iter()
            .map(|v| v.get_name().to_owned())
            .collect();
        if !values.is_empty() {
            info["allValues"] = json!(values);
        }
        if let Some(default) = arg.get_default_values().first() {
            info["defaultValue"] = json!(default.to_string_lossy());
        }
    }
    vec![info]
}

fn names_preferred(arg: &Arg) -> Value {
    match (arg.get_long(), arg.get_short()) {
        (Some(long), _) => json!({ "kind": "long", "name": long }),
        (None, short) => json!({ "kind": "short", "name": short }),
    }
}

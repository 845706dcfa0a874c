//! Usage lines and option labels.

use clap::{Arg, ArgAction};

use super::Located;

/// More options than this are written as `[<options>]`.
const MAX_LISTED_OPTIONS: usize = 12;

/// `container run [<options>] <image> [<arguments> ...]`.
pub fn usage_line(at: &Located<'_>) -> String {
    let mut words = vec![at.words()];
    let options: Vec<&Arg> = at
        .command
        .get_arguments()
        .filter(|arg| !arg.is_positional() && !arg.is_hide_set() && !is_builtin(arg))
        .collect();
    if options.len() > MAX_LISTED_OPTIONS {
        words.push("[<options>]".to_owned());
    } else {
        words.extend(options.into_iter().map(option_synopsis));
    }
    for arg in at.command.get_positionals() {
        words.extend(positional_synopsis(arg));
    }
    if at.command.has_subcommands() {
        words.push("<subcommand>".to_owned());
    }
    words.join(" ")
}

/// Names of the values that a positional argument stands for: more than one for pass-through lists.
pub fn positionals(arg: &Arg) -> Vec<String> {
    arg.get_value_names()
        .unwrap_or_default()
        .iter()
        .map(ToString::to_string)
        .collect()
}

/// The help text of an argument, one entry per value name.
pub(super) fn help_lines(arg: &Arg) -> Vec<String> {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    help.lines().map(str::to_owned).collect()
}

/// `-e, --env <env>`.
pub fn option_label(arg: &Arg) -> String {
    let mut names = Vec::new();
    if let Some(short) = arg.get_short() {
        names.push(format!("-{short}"));
    }
    names.extend(longs(arg).into_iter().map(|long| format!("--{long}")));
    names.join(", ") + &value_suffix(arg)
}

/// All long spellings, the preferred one first.
pub(super) fn longs(arg: &Arg) -> Vec<&str> {
    let mut longs: Vec<&str> = arg.get_long().into_iter().collect();
    longs.extend(arg.get_visible_aliases().unwrap_or_default());
    longs
}

fn is_builtin(arg: &Arg) -> bool {
    matches!(arg.get_id().as_str(), "help" | "help_hidden" | "version")
}

fn value_suffix(arg: &Arg) -> String {
    if !arg.get_action().takes_values() {
        return String::new();
    }
    positionals(arg)
        .first()
        .map(|name| format!(" <{name}>"))
        .unwrap_or_default()
}

fn option_synopsis(arg: &Arg) -> String {
    let name = match (arg.get_long(), arg.get_short()) {
        (Some(long), _) => format!("--{long}"),
        (None, Some(short)) => format!("-{short}"),
        (None, None) => String::new(),
    };
    let repeat = if matches!(arg.get_action(), ArgAction::Append) {
        " ..."
    } else {
        ""
    };
    let text = format!("{name}{}{repeat}", value_suffix(arg));
    if arg.is_required_set() {
        text
    } else {
        format!("[{text}]")
    }
}

fn positional_synopsis(arg: &Arg) -> Vec<String> {
    let range = arg.get_num_args();
    let (least, most) = range.map_or((1, 1), |range| (range.min_values(), range.max_values()));
    let names = positionals(arg);
    let count = names.len();
    names
        .into_iter()
        .enumerate()
        .map(|(index, name)| {
            let repeated = most > count && index + 1 == count;
            let text = if repeated {
                format!("<{name}> ...")
            } else {
                format!("<{name}>")
            };
            let required = arg.is_required_set() && index < least.max(1);
            if required { text } else { format!("[{text}]") }
        })
        .collect()
}

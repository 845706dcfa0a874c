//! Usage errors in the words of swift-argument-parser.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

use crate::help::{self, Located, Look, positionals, usage_line};

/// The whole text for a parser error: what is wrong, help on the argument, usage, where to read more.
pub(super) fn text(root: &Command, error: &clap::Error, words: &[String]) -> String {
    let at = Located::reached(root, words);
    let missing = error.kind() == ErrorKind::MissingRequiredArgument;
    if missing && words.len() == at.path.len() {
        // Nothing but the command was given: the reader needs the whole help.
        let help = help::render(
            &at,
            Look {
                hidden: false,
                width: 80,
            },
        );
        return format!("Error: {}\n\n{help}", message(error, &at));
    }
    shape(
        &message(error, &at),
        argument(error, &at).and_then(help_line),
        &at,
    )
}

/// `Error: <message>`, optional `Help:`, `Usage:` and the reference to the help.
pub(super) fn shape(message: &str, help: Option<String>, at: &Located<'_>) -> String {
    let help = help.map(|line| format!("Help:  {line}\n")).unwrap_or_default();
    format!(
        "Error: {message}\n{help}Usage: {}\n  See '{} --help' for more information.",
        usage_line(at),
        at.words()
    )
}

fn message(error: &clap::Error, at: &Located<'_>) -> String {
    let given = context(error, ContextKind::InvalidArg);
    let value = context(error, ContextKind::InvalidValue).unwrap_or_default();
    match (error.kind(), given) {
        (ErrorKind::UnknownArgument, Some(word)) if word.starts_with('-') => {
            if at.path.len() == 1 {
                return format!("unknown option '{word}'");
            }
            let hint =
                context(error, ContextKind::SuggestedArg).map(|name| format!(". Did you mean '{name}'?"));
            format!("Unknown option '{word}'{}", hint.unwrap_or_default())
        }
        (ErrorKind::UnknownArgument, Some(word)) => format!("Unexpected argument '{word}'"),
        (ErrorKind::InvalidSubcommand, _) => {
            let word = context(error, ContextKind::InvalidSubcommand).unwrap_or_default();
            format!("Unexpected argument '{word}'")
        }
        (ErrorKind::MissingRequiredArgument, Some(_)) => {
            let name = argument(error, at).and_then(|arg| positionals(arg).into_iter().next());
            format!("Missing expected argument '<{}>'", name.unwrap_or_default())
        }
        (ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues, _) => {
            let name = argument(error, at).and_then(|arg| positionals(arg).pop());
            format!("Missing expected argument '<{}> ...'", name.unwrap_or_default())
        }
        (ErrorKind::InvalidValue, Some(option)) if value.is_empty() => {
            format!("Missing value for '{option}'")
        }
        (ErrorKind::InvalidValue | ErrorKind::ValueValidation, Some(option)) => {
            let alternatives = argument(error, at).map(alternatives).unwrap_or_default();
            format!(
                "The value '{value}' is invalid for '{}'{alternatives}",
                option.trim_end_matches("...")
            )
        }
        (ErrorKind::TooManyValues, Some(option)) => {
            let name = option.split([' ', '=']).next().unwrap_or_default();
            format!("The option '{name}' does not take any value, but '{value}' was specified.")
        }
        (ErrorKind::InvalidUtf8, _) => "an argument is not valid UTF-8".to_owned(),
        // No other kind comes out of this command tree; clap's own first line is still better than nothing.
        _ => error
            .to_string()
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches("error: ")
            .to_owned(),
    }
}

/// `. Please provide one of 'a', 'b' or 'c'.`, or nothing when any value is accepted.
fn alternatives(arg: &Arg) -> String {
    let mut quoted: Vec<String> = arg
        .get_possible_values()
        .iter()
        .map(|v| format!("'{}'", v.get_name()))
        .collect();
    match quoted.len() {
        0 => String::new(),
        1 | 2 => format!(". Please provide one of {}.", quoted.join(" and ")),
        _ => {
            let last = quoted.pop().unwrap_or_default();
            format!(". Please provide one of {} or {last}.", quoted.join(", "))
        }
    }
}

/// The argument that an error is about.
fn argument<'a>(error: &clap::Error, at: &Located<'a>) -> Option<&'a Arg> {
    let shown = context(error, ContextKind::InvalidArg)?;
    at.command.get_arguments().find(|arg| arg.to_string() == shown)
}

/// `--format <format>  Output format`.
fn help_line(arg: &Arg) -> Option<String> {
    let help = arg.get_help()?.to_string();
    let first = help.lines().next()?;
    if arg.is_positional() {
        return Some(format!("<{}>  {first}", positionals(arg).first()?));
    }
    Some(format!("{}  {first}", arg.to_string().trim_end_matches("...")))
}

fn context(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => texts.first().cloned(),
        _ => None,
    }
}

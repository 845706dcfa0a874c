//! From the words of the command line to a command, or to the text that says why not (behaviour.md 1.1, 2.2).

mod usage_error;

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{ArgMatches, FromArgMatches};

use crate::cli::{self, Cli, Command};
use crate::error::{Failure, USAGE_STATUS};
use crate::help::{self, Located, Look};
use crate::{Context, completion, plugins, terminal, version};

/// What a command line asks for.
#[derive(Debug)]
pub enum Invocation {
    /// A text for standard output: help, version, completion script.
    Print(String),
    /// A command.
    Run(Box<Command>, Context),
    /// A usage error: the whole text for standard error.
    Refuse(String),
}

/// Parses a command line; `words` are the same as text. Opens no socket and reads no file, except that the root help
/// looks for plugins on disk.
pub fn parse(argv: Vec<OsString>, words: &[String]) -> Invocation {
    let mut root = cli::command();
    let matches = match root.try_get_matches_from_mut(argv.iter().cloned()) {
        Ok(matches) => matches,
        Err(error) if asks_for_help(&error, &argv) => {
            let hidden = words
                .iter()
                .find(|word| word.starts_with("--help") || *word == "-h");
            let hidden = hidden.is_some_and(|word| word == "--help-hidden");
            return Invocation::Print(help_text(&root, &Located::reached(&root, words), hidden));
        }
        Err(error) => return Invocation::Refuse(usage_error::text(&root, &error, words)),
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return Invocation::Refuse(usage_error::text(&root, &error, words)),
    };
    if cli.version {
        return Invocation::Print(format!("{}\n", version::sentence()));
    }
    if cli.experimental_dump_help {
        return Invocation::Print(format!("{}\n", help::dump::dump(&root)));
    }
    if let Some(shell) = cli.generate_completion_script {
        return Invocation::Print(completion::script(shell));
    }
    choose(&root, cli.command, debug_given(&matches), words)
}

fn choose(root: &clap::Command, command: Option<Command>, debug: bool, words: &[String]) -> Invocation {
    match command {
        Some(Command::Help(asked)) => match Located::find(root, &asked.subcommand_path) {
            Some(at) => Invocation::Print(help_text(root, &at, false)),
            None => {
                let text = format!("unknown command '{}'", asked.subcommand_path.join(" "));
                Invocation::Refuse(usage_error::shape(&text, None, &Located::root(root)))
            }
        },
        Some(Command::K8s(k8s)) if k8s.version => Invocation::Print(format!("{}\n", version::sentence())),
        Some(command) if !command.is_bare_group() => Invocation::Run(Box::new(command), Context { debug }),
        _ => Invocation::Print(help_text(root, &Located::reached(root, words), false)),
    }
}

/// The text, if one is still to be printed, and the exit status of a failed command. `words` is the command line it came from.
pub fn describe(failure: &Failure, words: &[String]) -> (Option<String>, u8) {
    match failure {
        Failure::Usage(text) => {
            let root = cli::command();
            (
                Some(usage_error::shape(text, None, &Located::reached(&root, words))),
                USAGE_STATUS,
            )
        }
        Failure::Error(text) => (Some(format!("Error: {text}")), 1),
        Failure::Silent(status) => (None, *status),
    }
}

/// Help wins over an error elsewhere on the line, as long as the parser gets as far as the flag.
fn asks_for_help(error: &clap::Error, argv: &[OsString]) -> bool {
    if error.kind() == ErrorKind::DisplayHelp {
        return true;
    }
    let lenient = cli::command()
        .ignore_errors(true)
        .try_get_matches_from(argv.iter().cloned());
    lenient.is_err_and(|error| error.kind() == ErrorKind::DisplayHelp)
}

fn help_text(root: &clap::Command, at: &Located<'_>, hidden: bool) -> String {
    let look = Look {
        hidden,
        width: terminal::output_width(),
    };
    if at.path.len() > 1 {
        return help::render(at, look);
    }
    help::render_root(&Located::root(root), &plugins::summaries(), look)
}

fn debug_given(matches: &ArgMatches) -> bool {
    let here = matches
        .try_get_one::<bool>("debug")
        .ok()
        .flatten()
        .copied()
        .unwrap_or(false);
    here || matches
        .subcommand()
        .is_some_and(|(_, matches)| debug_given(matches))
}

//! The `container` command line.
//!
//! One file per command under [`commands`], option groups under [`flags`], the root under [`cli`]. Parsing and help
//! open no socket, read no file and start no runtime: [`run`] starts one only for a command that asks a service.

pub mod archive;
pub mod cli;
pub mod commands;
pub mod completion;
mod error;
pub mod fetch;
pub mod flags;
pub mod help;
pub mod invocation;
pub mod log;
pub mod logs;
pub mod output;
pub mod parse;
pub mod plugins;
pub mod process;
pub mod progress;
pub mod service_logs;
pub mod services;
pub mod stats;
pub mod terminal;
#[cfg(any(target_os = "macos", test))]
pub mod unified_log;
pub mod version;

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

pub use error::{Failure, Outcome, USAGE_STATUS};
use invocation::Invocation;

/// What a command knows beyond its own arguments.
#[derive(Debug, Clone)]
pub struct Context {
    /// `--debug` was given at any level of the command line.
    pub debug: bool,
}

/// Parses the command line, carries it out and reports how it ended.
pub fn run(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    let argv: Vec<OsString> = argv.into_iter().collect();
    let words: Vec<String> = argv
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    if let Some(shell) = std::env::var_os(completion::VARIABLE) {
        return complete(&shell, &argv);
    }
    match invocation::parse(argv, &words) {
        Invocation::Print(text) => {
            output::print(&text);
            ExitCode::SUCCESS
        }
        Invocation::Refuse(text) => {
            output::print_error(&text);
            ExitCode::from(USAGE_STATUS)
        }
        Invocation::Run(command, context) => {
            log::set_debug(context.debug);
            execute(*command, &context).map_or_else(|failure| report(&failure, &words), ExitCode::from)
        }
    }
}

/// Answers a completion script, whose user is shown nothing but candidates.
fn complete(shell: &OsStr, argv: &[OsString]) -> ExitCode {
    match completion::candidates(&shell.to_string_lossy(), argv) {
        Ok(text) => {
            output::print_bytes(&text);
            ExitCode::SUCCESS
        }
        Err(error) => {
            output::print_error(&format!("Error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn report(failure: &Failure, words: &[String]) -> ExitCode {
    let (text, status) = invocation::describe(failure, words);
    if let Some(text) = text {
        output::print_error(&text);
    }
    ExitCode::from(status)
}

fn execute(command: cli::Command, context: &Context) -> Outcome {
    // One thread is enough: the command line waits for services, it does not compute.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::error(format!("failed to start: {error}")))?;
    let outcome = runtime.block_on(commands::dispatch(command, context));
    // A read of standard input that never returns must not keep the process alive.
    runtime.shutdown_background();
    outcome
}

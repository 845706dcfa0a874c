//! Completion of command lines: the script that a shell loads, and the words that it asks this program for.
//!
//! The script knows nothing: for every word it runs `container` with [`VARIABLE`] set to its shell's name, so that the
//! names of containers and images can be offered besides commands and options.

use std::ffi::{OsStr, OsString};
use std::io;
use std::time::Duration;

use clap::CommandFactory;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, ValueCompleter};
use clap_complete::env::Shells;
use container_client::api::ContainerFilter;
use container_resource::ContainerState;
use container_resource::reference::displayed;

use crate::cli::Cli;
use crate::error::Failure;
use crate::flags::values::CompletionShell;
use crate::services::Services;

/// The variable that a completion script sets, to the name of its shell.
pub const VARIABLE: &str = "CONTAINER_COMPLETE";

/// How long a user who presses a key waits for names.
const PATIENCE: Duration = Duration::from_secs(1);

/// The argument whose first word names an image or a container, and whose others are a process's.
const WORDS: &str = "words";

/// Commands that are of use with running containers only.
const OF_RUNNING: [&str; 7] = ["attach", "exec", "kill", "pause", "stats", "stop", "top"];

/// The script that makes a shell complete command lines of `container`. Nobody is asked for it.
pub fn script(shell: CompletionShell) -> String {
    let name = match shell {
        CompletionShell::Zsh => "zsh",
        CompletionShell::Bash => "bash",
        CompletionShell::Fish => "fish",
    };
    let mut script = Vec::new();
    if let Some(shell) = Shells::builtins().completer(name) {
        // Writing to memory does not fail.
        let _ = shell.write_registration(VARIABLE, "container", "container", "container", &mut script);
    }
    String::from_utf8_lossy(&script).into_owned()
}

/// What a script of `shell` gets for the words of a command line, which follow `--`.
///
/// # Errors
/// `shell` is not known, or a script of another version asks.
pub fn candidates(shell: &str, argv: &[OsString]) -> Result<Vec<u8>, io::Error> {
    let shells = Shells::builtins();
    let shell = shells
        .completer(shell)
        .ok_or_else(|| io::Error::other(format!("no completion for {shell}")))?;
    let words = argv.iter().skip_while(|word| *word != "--").skip(1);
    let mut text = Vec::new();
    shell.write_complete(
        &mut command(),
        words.cloned().collect(),
        std::env::current_dir().ok().as_deref(),
        &mut text,
    )?;
    Ok(text)
}

/// The command tree, with the names that arguments can have.
fn command() -> clap::Command {
    with_names(Cli::command(), &[])
}

fn with_names(command: clap::Command, path: &[String]) -> clap::Command {
    let arguments = path.to_vec();
    command
        .mut_args(
            |argument| match Names::of(&arguments, argument.get_id().as_str()) {
                Some(names) => {
                    let first_only = argument.get_id() == WORDS;
                    argument.add(ArgValueCompleter::new(Completer { names, first_only }))
                }
                None => argument,
            },
        )
        .mut_subcommands(|subcommand| {
            let path = [path, &[subcommand.get_name().to_owned()]].concat();
            with_names(subcommand, &path)
        })
}

/// Offers names for an argument.
#[derive(Debug)]
struct Completer {
    names: Names,
    first_only: bool,
}

impl ValueCompleter for Completer {
    fn complete(&self, current: &OsStr) -> Vec<CompletionCandidate> {
        let begun = current.to_string_lossy();
        let names = self.names.now().into_iter();
        names
            .filter(|name| name.starts_with(&*begun))
            .map(CompletionCandidate::new)
            .collect()
    }

    fn complete_at(&self, index: usize, current: &OsStr) -> Vec<CompletionCandidate> {
        if self.first_only && index > 0 {
            return Vec::new();
        }
        self.complete(current)
    }
}

/// What an argument names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    /// Containers; only those that run.
    Containers { running: bool },
    /// Stored images.
    Images,
    /// Volumes.
    Volumes,
}

impl Names {
    /// What the argument `id` of the command `path` names, if it is something that is there already.
    fn of(path: &[String], id: &str) -> Option<Self> {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        match (path.as_slice(), id) {
            ([command], "container_ids" | "container_id" | "containers")
            | ([command @ "exec"], WORDS)
            | ([command @ "export"], "id") => Some(Self::Containers {
                running: OF_RUNNING.contains(command),
            }),
            (["run" | "create"], WORDS)
            | (["image", "delete" | "inspect"], "images")
            | (["image", "save"], "references")
            | (["image", "push"], "reference")
            | (["image", "tag"], "source") => Some(Self::Images),
            (["volume", "delete" | "inspect"], "names") => Some(Self::Volumes),
            _ => None,
        }
    }

    /// The names that there are; none when the services do not run.
    fn now(self) -> Vec<String> {
        let names = async { tokio::time::timeout(PATIENCE, self.list()).await.ok()?.ok() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let names = runtime.ok().and_then(|runtime| runtime.block_on(names));
        names.unwrap_or_default()
    }

    async fn list(self) -> Result<Vec<String>, Failure> {
        let services = Services::from_environment()?;
        match self {
            Self::Containers { running } => {
                let filter = ContainerFilter {
                    status: running.then_some(ContainerState::Running),
                    ..ContainerFilter::default()
                };
                let containers = services.api().await?.list(filter).await?;
                Ok(containers.into_iter().map(|container| container.id).collect())
            }
            Self::Volumes => {
                let volumes = services.api().await?.volumes().await?;
                Ok(volumes.into_iter().map(|volume| volume.id).collect())
            }
            Self::Images => {
                let system = services.configuration(&services.api().await?).await?;
                let images = services.images().await?.list().await?;
                let name = |reference: &str| displayed(reference, &system.registry.domain);
                Ok(images.iter().map(|image| name(&image.reference)).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(line: &str) -> String {
        let words = ["container", "--"]
            .into_iter()
            .chain(line.split(' '))
            .map(OsString::from);
        String::from_utf8(candidates("fish", &words.collect::<Vec<_>>()).unwrap()).unwrap()
    }

    #[test]
    fn commands_and_options() {
        assert_eq!(complete("container image pu").lines().count(), 2, "pull and push");
        assert!(complete("container run --entry").contains("--entrypoint"));
        assert!(complete("container list --format ").contains("toml"));
    }

    #[test]
    fn every_argument_that_names_something_is_there() {
        let mut found = Vec::new();
        collect(&Cli::command(), &[], &mut found);
        let count = |names| found.iter().filter(|(_, found)| *found == names).count();
        assert_eq!(count(Names::Images), 7, "{found:?}");
        assert_eq!(count(Names::Volumes), 2, "{found:?}");
        assert!(count(Names::Containers { running: true }) >= 5, "{found:?}");
        assert!(count(Names::Containers { running: false }) >= 8, "{found:?}");
    }

    fn collect(command: &clap::Command, path: &[String], found: &mut Vec<(String, Names)>) {
        for argument in command.get_arguments() {
            let id = argument.get_id().as_str();
            found.extend(Names::of(path, id).map(|names| (format!("{} {id}", path.join(" ")), names)));
        }
        for subcommand in command.get_subcommands() {
            let path = [path, &[subcommand.get_name().to_owned()]].concat();
            collect(subcommand, &path, found);
        }
    }

    #[test]
    fn scripts_ask_this_program() {
        for shell in [CompletionShell::Bash, CompletionShell::Zsh, CompletionShell::Fish] {
            let script = script(shell);
            assert!(script.contains(VARIABLE), "{script}");
        }
        assert!(candidates("tcsh", &[]).is_err());
    }
}

//! Positional words of the commands that start a process.
//!
//! Option parsing stops at the first positional word: everything after it, a later `--` included, belongs to
//! the process (behaviour.md 1). clap offers that for one list only, so the word that names the image or the
//! container is the first member of that list.

use clap::Args;

/// `<image> [<arguments> ...]` of `run` and `create`.
#[derive(Args, Debug, Clone)]
pub struct ImageAndArguments {
    /// Image reference, then the arguments of the process.
    #[arg(value_names = ["image", "arguments"], num_args = 1.., required = true, trailing_var_arg = true,
        help = "Image reference\nArguments of the process")]
    words: Vec<String>,
}

impl ImageAndArguments {
    /// The image reference and the arguments.
    pub fn split(self) -> (String, Vec<String>) {
        split_first(self.words)
    }
}

/// `<container-id> <arguments> ...` of `exec`.
#[derive(Args, Debug, Clone)]
pub struct ContainerAndCommand {
    /// Container id, then the executable and its arguments.
    #[arg(value_names = ["container-id", "arguments"], num_args = 2.., required = true, trailing_var_arg = true,
        help = "Container id\nExecutable and its arguments")]
    words: Vec<String>,
}

impl ContainerAndCommand {
    /// The container id and the command.
    pub fn split(self) -> (String, Vec<String>) {
        split_first(self.words)
    }
}

/// `[<executable>] [<arguments> ...]` of `machine run`.
#[derive(Args, Debug, Clone)]
pub struct ExecutableAndArguments {
    /// Executable and its arguments; a login shell when absent.
    #[arg(value_names = ["executable", "arguments"], num_args = 0.., trailing_var_arg = true,
        help = "Executable; a login shell when absent\nArguments of the executable")]
    pub words: Vec<String>,
}

fn split_first(words: Vec<String>) -> (String, Vec<String>) {
    let mut words = words.into_iter();
    let first = words.next().unwrap_or_default();
    (first, words.collect())
}

//! Words that an option accepts.

use clap::ValueEnum;

/// Output format of the listing commands.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ListFormat {
    /// One JSON document.
    Json,
    /// Columns for people.
    #[default]
    Table,
    /// One YAML document.
    Yaml,
    /// One TOML document.
    Toml,
}

/// Output format of `machine list`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MachineListFormat {
    /// One JSON document.
    Json,
    /// Columns for people.
    #[default]
    Table,
}

/// Output format of `system property list`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PropertyFormat {
    /// One JSON document.
    Json,
    /// The syntax of the configuration file.
    #[default]
    Toml,
}

/// When `run` and `create` pull their image.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pull {
    /// Every time.
    Always,
    /// When it is not stored.
    #[default]
    Missing,
    /// Not at all.
    Never,
}

/// Style of the progress display (behaviour.md 6).
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProgressKind {
    /// `ansi` on a terminal, `plain` elsewhere.
    #[default]
    Auto,
    /// Nothing.
    None,
    /// One line that is redrawn.
    Ansi,
    /// A line now and then.
    Plain,
    /// `ansi` with colours.
    Color,
}

/// Style of the build output.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BuildProgress {
    /// `tty` on a terminal, `plain` elsewhere.
    #[default]
    Auto,
    /// Log lines.
    Plain,
    /// Redrawn in place.
    Tty,
}

/// How a machine sees the home directory of its owner.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HomeMount {
    /// Read-only.
    Ro,
    /// Writable.
    #[default]
    Rw,
    /// Not at all.
    None,
}

/// Shells with completion scripts.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompletionShell {
    /// Z shell.
    Zsh,
    /// Bash.
    Bash,
    /// fish.
    Fish,
}

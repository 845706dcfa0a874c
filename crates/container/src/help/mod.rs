//! Help texts, laid out as swift-argument-parser does (`OVERVIEW`, `USAGE`, then one section per group), because
//! that is what users and scripts of Apple's tool know. clap's own model is the only source.

pub mod dump;
mod layout;
mod root;
mod usage;

pub use root::render_root;
pub use usage::{option_label, positionals, usage_line};

use clap::{Arg, Command};
use layout::Section;

/// A command and the words that lead to it, `container` included.
#[derive(Debug, Clone)]
pub struct Located<'a> {
    /// The command.
    pub command: &'a Command,
    /// Names from the root to the command, aliases resolved.
    pub path: Vec<&'a str>,
}

impl<'a> Located<'a> {
    /// The root command itself.
    pub fn root(root: &'a Command) -> Self {
        Self {
            command: root,
            path: vec![root.get_name()],
        }
    }

    /// Follows `words` (names or aliases) from the root; `None` when one of them is not a command.
    pub fn find(root: &'a Command, words: &[String]) -> Option<Self> {
        words.iter().try_fold(Self::root(root), |at, word| at.child(word))
    }

    /// The command that a command line reaches: words are followed until one is not a command.
    pub fn reached(root: &'a Command, argv: &[String]) -> Self {
        let mut at = Self::root(root);
        for word in argv.iter().skip(1).filter(|word| !word.starts_with('-')) {
            match at.child(word) {
                Some(next) => at = next,
                None => break,
            }
        }
        at
    }

    fn child(&self, word: &str) -> Option<Self> {
        let command = self.command.find_subcommand(word)?;
        let mut path = self.path.clone();
        path.push(command.get_name());
        Some(Self { command, path })
    }

    /// `container image pull`.
    pub fn words(&self) -> String {
        self.path.join(" ")
    }
}

/// What is shown in the help of one command.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Hidden options and commands are shown too.
    pub hidden: bool,
    /// Columns of the terminal.
    pub width: usize,
}

/// The help of a command; it ends with a newline.
pub fn render(at: &Located<'_>, look: Look) -> String {
    let mut text = header(at, look);
    for section in argument_sections(at.command, look) {
        text.push_str(&section.render(look.width));
    }
    let commands = subcommand_section("SUBCOMMANDS", at.command.get_subcommands(), look);
    if !commands.is_empty() {
        text.push_str(&commands.render(look.width));
        text.push_str(&format!("\n  See '{}' for detailed help.\n", help_hint(at)));
    }
    text
}

fn header(at: &Located<'_>, look: Look) -> String {
    let mut text = String::new();
    if let Some(about) = at.command.get_about() {
        text.push_str(&layout::paragraph("OVERVIEW: ", &about.to_string(), look.width));
        text.push('\n');
    }
    text.push_str(&layout::paragraph("USAGE: ", &usage_line(at), look.width));
    text
}

/// `container help image <subcommand>`.
fn help_hint(at: &Located<'_>) -> String {
    let mut words = at.path.clone();
    words.insert(1, "help");
    format!("{} <subcommand>", words.join(" "))
}

/// Positionals, then options by heading in the order of declaration; options without heading come last.
fn argument_sections(command: &Command, look: Look) -> Vec<Section> {
    let mut arguments = Section::new("ARGUMENTS");
    for arg in command.get_positionals() {
        for (name, help) in positionals(arg).into_iter().zip(usage::help_lines(arg)) {
            arguments.push(format!("<{name}>"), help + &notes(arg));
        }
    }
    let mut sections = vec![arguments];
    let mut plain = Section::new("OPTIONS");
    for arg in command.get_arguments().filter(|arg| !arg.is_positional()) {
        if !is_shown(arg, look) {
            continue;
        }
        let title = arg.get_help_heading().map(str::to_uppercase);
        let section = match &title {
            None => &mut plain,
            Some(title) => {
                let index = sections
                    .iter()
                    .position(|s| s.title() == title)
                    .unwrap_or_else(|| {
                        sections.push(Section::new(title));
                        sections.len() - 1
                    });
                &mut sections[index]
            }
        };
        section.push(option_label(arg), option_help(arg));
    }
    sections.push(plain);
    sections.retain(|section| !section.is_empty());
    sections
}

fn is_shown(arg: &Arg, look: Look) -> bool {
    look.hidden || !arg.is_hide_set()
}

fn option_help(arg: &Arg) -> String {
    if arg.get_id() == "help" {
        return "Show help information.".to_owned();
    }
    usage::help_lines(arg).join(" ") + &notes(arg)
}

/// ` (values: a, b; default: a)`.
fn notes(arg: &Arg) -> String {
    if !arg.get_action().takes_values() {
        return String::new();
    }
    let values: Vec<_> = arg
        .get_possible_values()
        .iter()
        .map(|value| value.get_name().to_owned())
        .collect();
    let defaults: Vec<_> = arg
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy())
        .collect();
    let mut notes = Vec::new();
    if !values.is_empty() {
        notes.push(format!("values: {}", values.join(", ")));
    }
    if !defaults.is_empty() {
        notes.push(format!("default: {}", defaults.join(", ")));
    }
    if notes.is_empty() {
        String::new()
    } else {
        format!(" ({})", notes.join("; "))
    }
}

fn subcommand_section<'a>(title: &str, commands: impl Iterator<Item = &'a Command>, look: Look) -> Section {
    let mut section = Section::new(title);
    for command in commands.filter(|command| look.hidden || !command.is_hide_set()) {
        let mut names = vec![command.get_name()];
        names.extend(command.get_visible_aliases());
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        section.push(names.join(", "), about);
    }
    section
}

//! The help of the root command: subcommands under group headings, then the plugins (behaviour.md 1.1).

use super::layout::Section;
use super::{Located, Look, argument_sections, header, subcommand_section};
use crate::cli::HELP_GROUPS;

/// The root help with `plugins` (name and description) at its end; ends with a newline.
pub fn render_root(at: &Located<'_>, plugins: &[(String, String)], look: Look) -> String {
    let mut text = header(at, look);
    for section in argument_sections(at.command, look) {
        text.push_str(&section.render(look.width));
    }
    for (title, names) in HELP_GROUPS {
        let commands = names.iter().filter_map(|name| at.command.find_subcommand(name));
        text.push_str(
            &subcommand_section(&format!("{} SUBCOMMANDS", title.to_uppercase()), commands, look)
                .render(look.width),
        );
    }
    if look.hidden {
        let hidden = at
            .command
            .get_subcommands()
            .filter(|command| command.is_hide_set());
        text.push_str(&subcommand_section("HIDDEN SUBCOMMANDS", hidden, look).render(look.width));
    }
    if !plugins.is_empty() {
        let mut section = Section::new("PLUGINS");
        for (name, description) in plugins {
            section.push(name.clone(), description.clone());
        }
        text.push_str(&section.render(look.width));
    }
    text
}

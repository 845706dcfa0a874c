//! `container <word> …` where the word is no command: the plugin of that name takes over (behaviour.md 24.5).

use std::os::unix::process::CommandExt;
use std::process;

use container_config::Roots;

use crate::error::{Failure, Outcome};
use crate::plugins;

/// Replaces this process by the plugin; returns only when that failed.
pub(super) fn exec(words: &[String]) -> Outcome {
    let (name, arguments) = words
        .split_first()
        .ok_or_else(|| Failure::usage("unknown argument ''"))?;
    if name.is_empty() {
        return Err(Failure::usage("unknown argument ''"));
    }
    if name.starts_with('-') {
        return Err(Failure::usage(format!("unknown option '{name}'")));
    }
    let roots = Roots::from_environment().map_err(|error| Failure::error(error.to_string()))?;
    let Some(plugin) = plugins::find(&roots.install, name) else {
        let places = plugins::candidates(&roots.install, name);
        let places: Vec<String> = places
            .iter()
            .map(|path| format!("  - {}", path.display()))
            .collect();
        return Err(Failure::usage(format!(
            "Plugin 'container-{name}' not found.\nIf it is a plugin, install it as one of\n{}",
            places.join("\n")
        )));
    };
    let error = process::Command::new(&plugin.program).args(arguments).exec();
    Err(Failure::error(format!(
        "failed to run plugin {}: {error}",
        plugin.program.display()
    )))
}

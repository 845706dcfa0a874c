//! Plugins that add commands: programs below the install root (behaviour.md 24).

use std::fs;
use std::path::{Path, PathBuf};

use container_config::Roots;

/// Directories that hold plugins, below the install root; earlier ones win.
const DIRECTORIES: [&str; 2] = ["libexec/container-plugins", "libexec/container/plugins"];

/// A plugin that adds a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plugin {
    /// The word that runs it.
    pub name: String,
    /// One line about it.
    pub description: String,
    /// The program.
    pub program: PathBuf,
}

/// Where the program of the plugin `name` may be.
pub fn candidates(install_root: &Path, name: &str) -> Vec<PathBuf> {
    DIRECTORIES
        .iter()
        .map(|directory| install_root.join(directory).join(name).join("bin").join(name))
        .collect()
}

/// The command plugin called `name`; `None` when there is none or when it only provides services.
pub fn find(install_root: &Path, name: &str) -> Option<Plugin> {
    // The name becomes a path component.
    if name.is_empty() || name.starts_with('.') || name.contains('/') {
        return None;
    }
    DIRECTORIES
        .iter()
        .find_map(|directory| read(&install_root.join(directory).join(name), name))
}

/// Every command plugin, by name.
pub fn list(install_root: &Path) -> Vec<Plugin> {
    let mut names: Vec<String> = DIRECTORIES
        .iter()
        .filter_map(|directory| fs::read_dir(install_root.join(directory)).ok())
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    names.dedup();
    names.iter().filter_map(|name| find(install_root, name)).collect()
}

/// Names and descriptions for the root help, of the installation that this program belongs to.
pub fn summaries() -> Vec<(String, String)> {
    let Ok(roots) = Roots::from_environment() else {
        return Vec::new();
    };
    list(&roots.install)
        .into_iter()
        .map(|plugin| (plugin.name, plugin.description))
        .collect()
}

fn read(directory: &Path, name: &str) -> Option<Plugin> {
    let program = directory.join("bin").join(name);
    if !program.is_file() {
        return None;
    }
    let description = describe(directory)?;
    Some(Plugin {
        name: name.to_owned(),
        description,
        program,
    })
}

/// The description in `config.toml` or `config.json`; `None` when the plugin is no command.
fn describe(directory: &Path) -> Option<String> {
    let (abstract_text, is_service) = if let Ok(text) = fs::read_to_string(directory.join("config.toml")) {
        let table: toml::Table = text.parse().ok()?;
        (
            table.get("abstract")?.as_str()?.to_owned(),
            table.contains_key("servicesConfig"),
        )
    } else {
        let text = fs::read_to_string(directory.join("config.json")).ok()?;
        let value: serde_json::Value = serde_json::from_str(&text).ok()?;
        (
            value.get("abstract")?.as_str()?.to_owned(),
            value.get("servicesConfig").is_some_and(|v| !v.is_null()),
        )
    };
    (!is_service).then_some(abstract_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install(root: &Path, directory: &str, name: &str, config: &str) {
        let plugin = root.join(directory).join(name);
        fs::create_dir_all(plugin.join("bin")).expect("directory");
        fs::write(plugin.join("bin").join(name), "").expect("program");
        fs::write(plugin.join("config.toml"), config).expect("configuration");
    }

    #[test]
    fn user_plugins_win_and_services_are_no_commands() {
        let root = tempfile::tempdir().expect("directory");
        install(root.path(), DIRECTORIES[0], "a", "abstract = \"mine\"");
        install(root.path(), DIRECTORIES[1], "a", "abstract = \"bundled\"");
        install(
            root.path(),
            DIRECTORIES[1],
            "b",
            "abstract = \"service\"\n[servicesConfig]\nloadAtBoot = true",
        );
        let found = list(root.path());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].description, "mine");
        assert_eq!(find(root.path(), "b"), None);
        assert_eq!(find(root.path(), "../a"), None);
    }

    #[test]
    fn json_configurations_are_read_too() {
        let root = tempfile::tempdir().expect("directory");
        install(root.path(), DIRECTORIES[1], "a", "");
        let directory = root.path().join(DIRECTORIES[1]).join("a");
        fs::remove_file(directory.join("config.toml")).expect("removed");
        fs::write(
            directory.join("config.json"),
            r#"{"abstract":"json","servicesConfig":null}"#,
        )
        .expect("written");
        assert_eq!(
            find(root.path(), "a").map(|plugin| plugin.description),
            Some("json".to_owned())
        );
    }
}

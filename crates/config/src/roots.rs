//! The three directories everything else lives under (behaviour reference, 7.3).

use std::path::{Path, PathBuf};
use std::{env, io};

use crate::{APP_ROOT_VARIABLE, INSTALL_ROOT_VARIABLE, LOG_ROOT_VARIABLE};

/// Where data, programs and logs are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roots {
    /// Data: images, containers, kernels, networks, volumes.
    pub app: PathBuf,
    /// Programs: `bin/`, `libexec/`, `etc/`.
    pub install: PathBuf,
    /// Log files; absent where the system has a log of its own (macOS).
    pub log: Option<PathBuf>,
}

impl Roots {
    /// The roots from `CONTAINER_APP_ROOT`, `CONTAINER_INSTALL_ROOT` and `CONTAINER_LOG_ROOT`, each with its default.
    ///
    /// # Errors
    /// The home directory or the running program's own path cannot be found out.
    pub fn from_environment() -> io::Result<Self> {
        let path = |name| {
            env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        Ok(Self {
            app: path(APP_ROOT_VARIABLE).map_or_else(default_app_root, Ok)?,
            install: path(INSTALL_ROOT_VARIABLE).map_or_else(default_install_root, Ok)?,
            log: path(LOG_ROOT_VARIABLE).map_or_else(default_log_root, |path| Ok(Some(path)))?,
        })
    }

    /// The environment variables that hand these roots to another process.
    pub fn environment(&self) -> Vec<(String, String)> {
        let mut variables = vec![
            (APP_ROOT_VARIABLE.to_owned(), self.app.display().to_string()),
            (
                INSTALL_ROOT_VARIABLE.to_owned(),
                self.install.display().to_string(),
            ),
        ];
        if let Some(log) = &self.log {
            variables.push((LOG_ROOT_VARIABLE.to_owned(), log.display().to_string()));
        }
        variables
    }
}

/// The user's own configuration file: `$XDG_CONFIG_HOME/container/config.toml`, else below `~/.config`.
///
/// # Errors
/// Neither `XDG_CONFIG_HOME` nor `HOME` is set.
pub fn user_configuration_file() -> io::Result<PathBuf> {
    Ok(xdg("XDG_CONFIG_HOME", ".config")?.join("container/config.toml"))
}

fn default_app_root() -> io::Result<PathBuf> {
    if cfg!(target_os = "macos") {
        return Ok(home()?.join("Library/Application Support/com.apple.container"));
    }
    Ok(xdg("XDG_DATA_HOME", ".local/share")?.join("container"))
}

fn default_log_root() -> io::Result<Option<PathBuf>> {
    if cfg!(target_os = "macos") {
        return Ok(None);
    }
    Ok(Some(xdg("XDG_STATE_HOME", ".local/state")?.join("container")))
}

fn default_install_root() -> io::Result<PathBuf> {
    let program = env::current_exe()?.canonicalize()?;
    let grandparent = program.parent().and_then(Path::parent);
    Ok(grandparent.unwrap_or(Path::new("/")).to_path_buf())
}

fn xdg(variable: &str, below_home: &str) -> io::Result<PathBuf> {
    // The specification has relative values ignored.
    match env::var_os(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
    {
        Some(path) => Ok(path),
        None => Ok(home()?.join(below_home)),
    }
}

fn home() -> io::Result<PathBuf> {
    env::home_dir()
        .filter(|path| path.is_absolute())
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no home directory: set HOME"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_travel_by_environment() {
        let roots = Roots {
            app: "/a".into(),
            install: "/i".into(),
            log: Some("/l".into()),
        };
        let names: Vec<String> = roots.environment().into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [APP_ROOT_VARIABLE, INSTALL_ROOT_VARIABLE, LOG_ROOT_VARIABLE]
        );
        assert_eq!(Roots { log: None, ..roots }.environment().len(), 2);
    }

    #[test]
    fn install_root_is_above_the_programs_directory() {
        let root = default_install_root().ok();
        let program = env::current_exe().and_then(|path| path.canonicalize()).ok();
        assert!(
            root.zip(program)
                .is_some_and(|(root, program)| program.starts_with(root))
        );
    }
}

//! The processes that the server starts: where their programs are, and what they are given.

#[cfg(not(target_os = "macos"))]
#[path = "jobs/linux.rs"]
mod platform;
#[cfg(target_os = "macos")]
#[path = "jobs/macos.rs"]
mod platform;

use std::collections::BTreeMap;
use std::env;
use std::error::Error as _;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use container_client::services;
use container_config::Roots;
use container_ipc::{Endpoint, Error};
use container_service_manager::{Job, ServiceManager, inherited_environment, locate_program};

/// How long a process may take to end when it is asked to.
const END: Duration = Duration::from_secs(2);

/// Starts and ends helpers. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Jobs {
    manager: ServiceManager,
    runtime_directory: PathBuf,
    roots: Roots,
    debug: bool,
}

impl Jobs {
    /// The jobs of one installation; helpers log debug events when `debug` is set.
    ///
    /// # Errors
    /// The runtime directory cannot be used.
    pub(crate) fn open(runtime_directory: &Path, roots: Roots, debug: bool) -> Result<Self, Error> {
        let manager = ServiceManager::open(runtime_directory).map_err(|error| failure(&error))?;
        Ok(Self {
            manager,
            runtime_directory: runtime_directory.to_owned(),
            roots,
            debug,
        })
    }

    /// Writes down that this process is the API server's job, whoever started it.
    ///
    /// # Errors
    /// The runtime directory cannot be written.
    pub(crate) async fn register_server(&self) -> Result<(), Error> {
        let registered = self.manager.register_self(&services::api_server_label()).await;
        registered.map_err(|error| failure(&error))
    }

    /// The executable of the helper `name`; `None` when there is none, or when it is not the name of a helper.
    pub(crate) fn program(&self, name: &str) -> Option<PathBuf> {
        // Handlers come from the outside and must not lead to other directories.
        let plain = !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        plain
            .then(|| locate_program(name, &self.roots.install).ok())
            .flatten()
    }

    /// The log of the job `label`.
    pub(crate) fn log_file(&self, label: &str) -> PathBuf {
        let name = label
            .strip_prefix(services::PREFIX)
            .map_or(label, |rest| rest.trim_start_matches('.'));
        let directory = self
            .roots
            .log
            .clone()
            .unwrap_or_else(|| self.roots.app.join("logs"));
        // `container-runtime-linux.<id>` logs to `container-runtime-linux-<id>.log` (behaviour reference, 7.3).
        directory.join(format!("{}.log", name.replacen('.', "-", 1)))
    }

    /// Starts `program` as the job `label`, which outlives this process. With an endpoint the helper is given a socket
    /// that listens there already, so that it can be spoken to at once. An old process of that label is killed.
    ///
    /// # Errors
    /// The program is missing or cannot be started, or the socket cannot be made.
    pub(crate) async fn start(
        &self,
        label: &str,
        program: &str,
        mut arguments: Vec<String>,
        endpoint: Option<&Endpoint>,
    ) -> Result<(), Error> {
        let executable = self.program(program);
        let executable =
            executable.ok_or_else(|| Error::not_found(format!("unable to locate program {program}")))?;
        if self.debug {
            arguments.push("--debug".to_owned());
        }
        let job = Job {
            label: label.to_owned(),
            program: executable,
            arguments,
            environment: environment(program, &self.roots, env::vars_os()),
            log: self.log_file(label),
            working_directory: "/".into(),
        };
        // Nobody knows this one any more, or it would not be started again.
        self.kill(label).await?;
        let pid = platform::start(&self.manager, &self.runtime_directory, job, endpoint).await?;
        tracing::debug!(label, pid, "started");
        Ok(())
    }

    /// Whether the job `label` runs.
    pub(crate) fn is_running(&self, label: &str) -> bool {
        self.manager.is_running(label).unwrap_or(false)
    }

    /// Ends the job `label`, which should do so by itself, within a few seconds.
    pub(crate) async fn remove(&self, label: &str) {
        if let Err(error) = self.manager.stop(label, END).await {
            tracing::error!(label, error = failure(&error).message, "failed to end a helper");
        }
        platform::forget(&self.runtime_directory, label).await;
    }

    /// Kills the job `label` and waits for its end. That it does not run is fine.
    ///
    /// # Errors
    /// It cannot be killed.
    pub(crate) async fn kill(&self, label: &str) -> Result<(), Error> {
        self.manager.kill(label).await.map_err(|error| failure(&error))
    }
}

/// The environment of the helper `program`. Credentials for registries are for the one that talks to them.
fn environment(
    program: &str,
    roots: &Roots,
    own: impl Iterator<Item = (OsString, OsString)>,
) -> BTreeMap<String, String> {
    let mut environment = inherited_environment(own);
    if program != services::IMAGES_PROGRAM {
        environment.retain(|name, _| !name.starts_with("CONTAINER_REGISTRY_"));
    }
    environment.extend(roots.environment());
    environment
}

fn failure(error: &container_service_manager::Error) -> Error {
    match error.source() {
        Some(source) => Error::internal(format!("{error}: {source}")),
        None => Error::internal(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jobs(directory: &Path) -> Result<Jobs, Error> {
        let roots = Roots {
            app: directory.into(),
            install: directory.into(),
            log: Some(directory.join("log")),
        };
        Jobs::open(&directory.join("run"), roots, false)
    }

    #[test]
    fn helpers_learn_the_roots_of_their_server() {
        let roots = Roots {
            app: "/a".into(),
            install: "/i".into(),
            log: None,
        };
        let given = |program| {
            let own = [
                ("CONTAINER_APP_ROOT", "/elsewhere"),
                ("CONTAINER_REGISTRY_TOKEN", "s"),
                ("PATH", "/bin"),
            ];
            let own = own.into_iter().map(|(name, value)| (name.into(), value.into()));
            environment(program, &roots, own)
        };
        let helper = given("container-runtime-linux");
        let names: Vec<&str> = helper.keys().map(String::as_str).collect();
        assert_eq!(names, ["CONTAINER_APP_ROOT", "CONTAINER_INSTALL_ROOT", "PATH"]);
        assert_eq!(helper["CONTAINER_APP_ROOT"], "/a");
        assert_eq!(given(services::IMAGES_PROGRAM)["CONTAINER_REGISTRY_TOKEN"], "s");
    }

    #[test]
    fn handlers_are_not_paths() -> Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let jobs = jobs(directory.path())?;
        for name in ["", "../bin/sh", "/bin/sh", "no-such-helper", "a b"] {
            assert_eq!(jobs.program(name), None, "{name}");
        }
        Ok(())
    }

    #[test]
    fn logs_are_named_as_apples() -> Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let jobs = jobs(directory.path())?;
        let name = |label: &str| {
            jobs.log_file(label)
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
        };
        let label = services::helper_label("container-runtime-linux", Some("my.web"));
        assert_eq!(
            name(&label).as_deref(),
            Some("container-runtime-linux-my.web.log")
        );
        let label = services::helper_label(services::IMAGES_PROGRAM, None);
        assert_eq!(name(&label).as_deref(), Some("container-core-images.log"));
        Ok(())
    }
}

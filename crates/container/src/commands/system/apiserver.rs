//! The API server as a job: what the system commands start, await and end.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use container_client::services::{API_SERVER_PROGRAM, api_server_label};
use container_client::{ApiClient, ImagesClient};
use container_config::Roots;
use container_ipc::Error;
use container_service_manager::{
    Error as ServiceError, Job, ServiceManager, inherited_environment, locate_program,
};

use super::platform;
use crate::error::Failure;
use crate::service_logs;
use crate::services::Services;

/// What the labels of all jobs begin with.
pub(super) const LABEL_PREFIX: &str = "dev.container.";

/// How often a service that is coming up is tried.
const RETRY: Duration = Duration::from_millis(10);

/// The jobs of an installation; `None` when nothing was ever started there.
pub(super) fn manager(services: &Services) -> Result<Option<ServiceManager>, Failure> {
    let directory = services.runtime_dir();
    if !directory.exists() {
        return Ok(None);
    }
    ServiceManager::open(&directory)
        .map(Some)
        .map_err(|error| Failure::error(describe(&error)))
}

/// Starts the server unless it runs, and says whether it did.
pub(super) async fn start(services: &Services, debug: bool) -> Result<bool, Failure> {
    let start = async {
        let directory = services.runtime_dir();
        let manager = ServiceManager::open(&directory)?;
        let job = job(&services.roots, debug)?;
        platform::start(&manager, &directory, &job).await
    };
    match start.await {
        Ok(_) => Ok(false),
        Err(ServiceError::AlreadyRunning { .. }) => Ok(true),
        Err(error) => Err(Failure::error(describe(&error))),
    }
}

/// Ends the server, and keeps it from being started again.
pub(super) async fn stop(
    services: &Services,
    manager: &ServiceManager,
    deadline: Duration,
) -> Result<(), ServiceError> {
    let label = api_server_label();
    manager.stop(&label, deadline).await?;
    platform::forget(&services.runtime_dir(), &label).await
}

/// Removes what is left of jobs that have ended.
pub(super) async fn forget_all(services: &Services) -> Result<(), ServiceError> {
    platform::forget_all(&services.runtime_dir()).await
}

/// Waits until the server answers.
///
/// # Errors
/// It has ended, or does not answer in time.
pub(super) async fn await_answer(services: &Services, deadline: Instant) -> Result<ApiClient, Failure> {
    let manager = manager(services)?;
    loop {
        let remaining = deadline.saturating_duration_since(Instant::now());
        let attempt = async {
            let api = services.api().await?;
            api.ping(remaining.max(RETRY)).await?;
            Ok::<_, Error>(api)
        };
        let error = match attempt.await {
            Ok(api) => return Ok(api),
            Err(error) => error,
        };
        let runs = manager
            .as_ref()
            .is_some_and(|m| m.is_running(&api_server_label()).unwrap_or(false));
        if !runs || Instant::now() >= deadline {
            let log = log_file(&services.roots);
            let reason = if runs {
                error.long_form()
            } else {
                format!("it has ended, see {}", log.display())
            };
            return Err(Failure::error(format!(
                "failed to get a response from apiserver: {reason}"
            )));
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Waits until the image service, which the server starts, can be connected to.
///
/// # Errors
/// It cannot in time.
pub(super) async fn await_images(services: &Services, deadline: Instant) -> Result<ImagesClient, Error> {
    loop {
        match services.images().await {
            Err(_) if Instant::now() < deadline => tokio::time::sleep(RETRY).await,
            images => return images,
        }
    }
}

/// An error of the service manager with its reason.
pub(super) fn describe(error: &ServiceError) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn job(roots: &Roots, debug: bool) -> Result<Job, ServiceError> {
    let mut arguments = vec!["start".to_owned()];
    if debug {
        arguments.push("--debug".to_owned());
    }
    Ok(Job {
        label: api_server_label(),
        program: locate_program(API_SERVER_PROGRAM, &roots.install)?,
        arguments,
        environment: environment(roots, std::env::vars_os()),
        log: log_file(roots),
        working_directory: PathBuf::from("/"),
    })
}

/// Where the server's log is.
fn log_file(roots: &Roots) -> PathBuf {
    service_logs::directory(roots).join(format!("{API_SERVER_PROGRAM}.log"))
}

fn environment(roots: &Roots, own: impl Iterator<Item = (OsString, OsString)>) -> BTreeMap<String, String> {
    let mut environment = inherited_environment(own);
    environment.extend(roots.environment());
    environment
}

#[cfg(test)]
mod tests {
    use container_client::services::PREFIX;

    use super::*;

    #[test]
    fn the_prefix_is_that_of_the_labels() {
        assert_eq!(LABEL_PREFIX, format!("{PREFIX}."));
        assert!(api_server_label().starts_with(LABEL_PREFIX));
    }

    #[test]
    fn the_server_gets_little_of_the_environment() {
        let roots = Roots {
            app: "/a".into(),
            install: "/i".into(),
            log: None,
        };
        let own = [
            ("CONTAINER_APP_ROOT", "/x"),
            ("no_proxy", "y"),
            ("HOME", "/h"),
            ("SECRET", "s"),
        ];
        let own = own.into_iter().map(|(name, value)| (name.into(), value.into()));
        let given = environment(&roots, own);
        let names: Vec<&str> = given.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            ["CONTAINER_APP_ROOT", "CONTAINER_INSTALL_ROOT", "HOME", "no_proxy"]
        );
        assert_eq!(given["CONTAINER_APP_ROOT"], "/a");
    }
}

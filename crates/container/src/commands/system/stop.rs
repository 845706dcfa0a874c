//! `container system stop`: stop and deregister the services.

use std::time::Duration;

use clap::Args;
use container_client::ApiClient;
use container_client::api::{ContainerFilter, StopOptions};
use container_client::services::api_server_label;
use container_resource::ContainerState;
use container_resource::time::Timestamp;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::apiserver::{self, LABEL_PREFIX};
use crate::error::{Failure, Outcome};
use crate::output;
use crate::services::Services;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container system stop`.
#[derive(Args, Debug, Clone)]
pub struct Stop {
    /// Prefix of the service labels.
    #[arg(
        short = 'p',
        long,
        value_name = "prefix",
        default_value = LABEL_PREFIX
    )]
    pub prefix: String,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}

/// How long the API server may take to answer.
const PING: Duration = Duration::from_secs(5);
/// Seconds that containers have to end by themselves.
const GRACE: u32 = 5;
/// How long all of them together may take.
const CONTAINERS: Duration = Duration::from_secs(20);
/// How long a service may take to end.
const SERVICE: Duration = Duration::from_secs(10);

impl Stop {
    pub(super) async fn run(self) -> Outcome {
        let services = Services::from_environment()?;
        let Some(manager) = apiserver::manager(&services)? else {
            // Nothing was ever started.
            return Ok(0);
        };
        if let Ok(api) = services.api().await
            && api.ping(PING).await.is_ok()
        {
            log("stopping containers", "");
            if timeout(CONTAINERS, stop_containers(&api)).await.is_err() {
                log("containers did not stop in time", "");
            }
        }
        let failed = |error| Failure::error(apiserver::describe(&error));
        let server = api_server_label();
        // The server first: it would start again what ends before it.
        if server.starts_with(&self.prefix) {
            log("stopping service", &server);
            apiserver::stop(&services, &manager, SERVICE)
                .await
                .map_err(failed)?;
        }
        for label in manager.list().map_err(failed)? {
            if label.starts_with(&self.prefix) {
                log("stopping service", &label);
                // One that cannot be ended must not keep the others running.
                if let Err(error) = manager.stop(&label, SERVICE).await {
                    log(
                        &format!("failed to stop service: {}", apiserver::describe(&error)),
                        &label,
                    );
                }
            }
        }
        if self.prefix == LABEL_PREFIX {
            apiserver::forget_all(&services).await.map_err(failed)?;
        }
        Ok(0)
    }
}

async fn stop_containers(api: &ApiClient) {
    let Ok(containers) = api.list(ContainerFilter::default()).await else {
        return;
    };
    let mut tasks = JoinSet::new();
    for container in containers {
        if container.status.state == ContainerState::Stopped {
            continue;
        }
        let (api, id) = (api.clone(), container.id);
        tasks.spawn(async move {
            let options = StopOptions {
                timeout_in_seconds: Some(GRACE),
                signal: None,
                with_system: true,
            };
            (api.stop(&id, options).await, id)
        });
    }
    while let Some(Ok((stopped, id))) = tasks.join_next().await {
        match stopped {
            Ok(()) => output::print_line(&id),
            Err(error) => log(&format!("failed to stop container: {}", error.long_form()), &id),
        }
    }
}

/// This command logs on standard output, in the form of the logging library that Apple's tool uses.
fn log(message: &str, subject: &str) {
    output::print_line(&line(Timestamp::now(), message, subject));
}

fn line(time: Timestamp, message: &str, subject: &str) -> String {
    let time = time.strftime("%Y-%m-%dT%H:%M:%S+0000");
    let subject = if subject.is_empty() {
        String::new()
    } else {
        format!(" {subject}")
    };
    format!("{time} info com.apple.container.cli: [ContainerCommands] {message}{subject}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_lines() {
        let time = Timestamp::from_second(1_786_183_872).expect("a time");
        assert_eq!(
            line(time, "stopping service", "x"),
            "2026-08-08T10:11:12+0000 info com.apple.container.cli: [ContainerCommands] stopping service x"
        );
    }
}

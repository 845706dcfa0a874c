//! `container system status`: service status.

use std::time::Duration;

use clap::Args;
use container_client::services;
use container_service_manager::ServiceManager;
use serde::Serialize;

use super::apiserver::LABEL_PREFIX;
use crate::error::{Failure, Outcome};
use crate::output;
use crate::output::list::{Row, encode};
use crate::services::Services;

use crate::flags::logging::LoggingFlags;
use crate::flags::values::ListFormat;

/// How long the API server may take to answer.
const PING: Duration = Duration::from_secs(10);

/// Arguments of `container system status`.
#[derive(Args, Debug, Clone)]
pub struct Status {
    /// Prefix of the service labels.
    #[arg(
        short = 'p',
        long,
        value_name = "prefix",
        default_value = LABEL_PREFIX
    )]
    pub prefix: String,
    /// Output format.
    #[arg(long, value_name = "format", default_value = "table")]
    pub format: ListFormat,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}

impl Status {
    pub(super) async fn run(self) -> Outcome {
        let services = Services::from_environment()?;
        let payload = payload(&services, &self.prefix).await;
        output::print(&encode(&payload, &payload.rows(), None, self.format));
        if payload.status == RUNNING {
            Ok(0)
        } else {
            Err(Failure::Silent(1))
        }
    }
}

const RUNNING: &str = "running";

#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    status: &'static str,
    app_root: String,
    install_root: String,
    log_root: Option<String>,
    api_server_version: String,
    api_server_commit: String,
    api_server_build: String,
    api_server_app_name: String,
}

async fn payload(services: &Services, prefix: &str) -> Payload {
    let reply = match services.api().await {
        Ok(api) => api.ping(PING).await.ok(),
        Err(_) => None,
    };
    let Some(reply) = reply else {
        let status = if is_registered(services, prefix) {
            "not running"
        } else {
            "unregistered"
        };
        return Payload {
            status,
            ..Payload::default()
        };
    };
    Payload {
        status: RUNNING,
        app_root: reply.app_root.display().to_string(),
        install_root: reply.install_root.display().to_string(),
        log_root: reply.log_root.map(|path| path.display().to_string()),
        api_server_version: reply.api_server_version,
        api_server_commit: reply.api_server_commit,
        api_server_build: reply.api_server_build,
        api_server_app_name: reply.api_server_app_name,
    }
}

/// Whether the server's process is there although it does not answer. Asking changes nothing: where there is no
/// directory, nothing was ever started.
fn is_registered(services: &Services, prefix: &str) -> bool {
    let directory = services.runtime_dir();
    let label = services::api_server_label();
    directory.exists()
        && label.starts_with(prefix)
        && ServiceManager::open(&directory).is_ok_and(|manager| manager.is_running(&label).unwrap_or(false))
}

#[derive(Debug)]
struct Field(&'static str, String);

impl Payload {
    fn rows(&self) -> Vec<Field> {
        vec![
            Field("status", self.status.to_owned()),
            Field("appRoot", self.app_root.clone()),
            Field("installRoot", self.install_root.clone()),
            Field("logRoot", self.log_root.clone().unwrap_or_default()),
            Field("apiserver.version", self.api_server_version.clone()),
            Field("apiserver.commit", self.api_server_commit.clone()),
            Field("apiserver.build", self.api_server_build.clone()),
            Field("apiserver.appName", self.api_server_app_name.clone()),
        ]
    }
}

impl Row for Field {
    const HEADER: &'static [&'static str] = &["FIELD", "VALUE"];

    fn cells(&self) -> Vec<String> {
        vec![self.0.to_owned(), self.1.clone()]
    }
}

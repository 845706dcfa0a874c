//! `container system version`: versions of CLI and API server.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::error::Outcome;
use crate::output;
use crate::output::list::{Row, encode};
use crate::services::Services;
use crate::version;

use crate::flags::logging::LoggingFlags;
use crate::flags::values::ListFormat;

/// How long the API server may take to answer.
const PING: Duration = Duration::from_secs(2);

/// Arguments of `container system version`.
#[derive(Args, Debug, Clone)]
pub struct Version {
    /// Output format.
    #[arg(long, value_name = "format", default_value = "table")]
    pub format: ListFormat,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}

impl Version {
    pub(super) async fn run(self) -> Outcome {
        let mut components = vec![Component {
            version: version::VERSION.to_owned(),
            build_type: version::BUILD.to_owned(),
            commit: version::COMMIT.to_owned(),
            app_name: "container".to_owned(),
        }];
        // A server that does not run has no version; that is no error here.
        if let Ok(api) = Services::from_environment()?.api().await
            && let Ok(reply) = api.ping(PING).await
        {
            components.push(Component {
                version: reply.api_server_version,
                build_type: reply.api_server_build,
                commit: reply.api_server_commit,
                app_name: reply.api_server_app_name,
            });
        }
        output::print(&encode(&components, &components, None, self.format));
        Ok(0)
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Component {
    version: String,
    build_type: String,
    commit: String,
    app_name: String,
}

impl Row for Component {
    const HEADER: &'static [&'static str] = &["COMPONENT", "VERSION", "BUILD", "COMMIT"];

    fn cells(&self) -> Vec<String> {
        [&self.app_name, &self.version, &self.build_type, &self.commit]
            .map(Clone::clone)
            .into()
    }
}

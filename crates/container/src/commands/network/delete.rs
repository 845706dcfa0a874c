//! `container network delete`: delete networks.

use clap::Args;
use container_resource::Network;

use crate::error::{Failure, Outcome};
use crate::services::Services;
use crate::{log, output};

use crate::flags::logging::LoggingFlags;

/// Arguments of `container network delete`.
#[derive(Args, Debug, Clone)]
pub struct Delete {
    /// Every user network.
    #[arg(short = 'a', long)]
    pub all: bool,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Network names.
    #[arg(value_name = "network-names")]
    pub network_names: Vec<String>,
}

impl Delete {
    pub(super) async fn run(self) -> Outcome {
        match (self.network_names.is_empty(), self.all) {
            (true, false) => return Err(Failure::error("no networks specified and --all not supplied")),
            (false, true) => {
                return Err(Failure::error(
                    "explicitly supplied network name(s) conflict with the --all flag",
                ));
            }
            _ => {}
        }
        let api = Services::from_environment()?.api().await?;
        let known = api.networks().await?;
        let names = if self.all {
            let deletable = known
                .into_iter()
                .filter(|network| !network.configuration.is_builtin());
            deletable.map(|network| network.id).collect()
        } else {
            check(&known, &self.network_names)?;
            self.network_names
        };
        let mut failed = Vec::new();
        for name in names {
            match api.delete_network(&name).await {
                Ok(()) => output::print_line(&name),
                Err(error) => {
                    let details = [("id", name.as_str()), ("error", &error.to_string())];
                    log::info("failed to delete network", &details);
                    failed.push(name);
                }
            }
        }
        if failed.is_empty() {
            return Ok(0);
        }
        Err(Failure::error(format!(
            "delete failed for one or more networks: {failed:?}"
        )))
    }
}

/// Refuses everything when one name is wrong.
fn check(known: &[Network], names: &[String]) -> Result<(), Failure> {
    let find = |name: &String| known.iter().find(|network| network.id == *name);
    let missing: Vec<_> = names.iter().filter(|name| find(name).is_none()).collect();
    if !missing.is_empty() {
        return Err(Failure::error(format!(
            "failed to delete one or more networks: {missing:?}"
        )));
    }
    let builtin = |name: &&String| find(name).is_some_and(|network| network.configuration.is_builtin());
    match names.iter().find(builtin) {
        Some(name) => Err(Failure::error(format!("cannot delete a builtin network: {name}"))),
        None => Ok(()),
    }
}

//! Commands that take several containers, or all of them (behaviour.md 2.2, appendix B).

use std::future::Future;

use container_client::ApiClient;
use container_client::api::ContainerFilter;
use container_ipc::Error;
use container_resource::ContainerSnapshot;
use tokio::task::JoinSet;

use crate::error::{Failure, Outcome};
use crate::output;

/// The label that says which plugin a container belongs to.
const PLUGIN_LABEL: &str = "com.apple.container.plugin";

/// Which containers a command may mean.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidates {
    /// `--all` was given.
    pub(super) all: bool,
    /// What the ids are called in the message about ids beside `--all`.
    pub(super) conflict: &'static str,
    /// `--all` means the running ones.
    pub(super) only_running: bool,
}

impl Candidates {
    /// Either ids or `--all`, not both and not neither.
    pub(super) fn check(self, ids: &[String]) -> Result<(), Failure> {
        match (ids.is_empty(), self.all) {
            (true, false) => Err(Failure::error("no containers specified and --all not supplied")),
            (false, true) => Err(Failure::error(format!(
                "explicitly supplied {} conflict with the --all flag",
                self.conflict
            ))),
            _ => Ok(()),
        }
    }
}

/// The containers behind machines are managed with `container machine`.
pub(super) fn is_machine(container: &ContainerSnapshot) -> bool {
    container
        .configuration
        .labels
        .get(PLUGIN_LABEL)
        .is_some_and(|plugin| plugin == "machine")
}

/// The ids that a command works on: those given, each once, or all candidates.
pub(super) async fn resolve(
    api: &ApiClient,
    mut ids: Vec<String>,
    candidates: Candidates,
) -> Result<Vec<String>, Error> {
    if !candidates.all {
        let mut seen = Vec::new();
        ids.retain(|id| {
            let new = !seen.contains(id);
            seen.push(id.clone());
            new
        });
        return Ok(ids);
    }
    let containers = api.list(ContainerFilter::default()).await?;
    let wanted = |container: &ContainerSnapshot| !candidates.only_running || container.status.state.is_up();
    Ok(containers
        .into_iter()
        .filter(|container| !is_machine(container) && wanted(container))
        .map(|container| container.id)
        .collect())
}

/// Does the same to every container at once; prints the ids as they are done, and then every error.
pub(super) async fn each<F>(ids: Vec<String>, work: impl Fn(String) -> F) -> Outcome
where
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for id in ids {
        let task = work(id.clone());
        tasks.spawn(async move { task.await.map(|()| id) });
    }
    let mut errors = Vec::new();
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok(Ok(id)) => output::print_line(&id),
            Ok(Err(error)) => errors.push(error),
            Err(panic) => errors.push(Error::internal(panic.to_string())),
        }
    }
    if errors.is_empty() {
        Ok(0)
    } else {
        Err(Failure::collected(&errors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ids: &[&str], all: bool) -> Result<(), Failure> {
        let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        Candidates {
            all,
            conflict: "container ID(s)",
            only_running: false,
        }
        .check(&ids)
    }

    #[test]
    fn ids_or_all() {
        assert_eq!(check(&["a"], false), Ok(()));
        assert_eq!(check(&[], true), Ok(()));
        assert_eq!(
            check(&[], false),
            Err(Failure::error("no containers specified and --all not supplied"))
        );
        assert_eq!(
            check(&["a"], true),
            Err(Failure::error(
                "explicitly supplied container ID(s) conflict with the --all flag"
            ))
        );
    }

    #[tokio::test]
    async fn one_failure_does_not_stop_the_others() {
        let outcome = each(vec!["a".to_owned(), "b".to_owned()], |id| async move {
            if id == "a" {
                Err(Error::not_found("container with ID a not found"))
            } else {
                Ok(())
            }
        });
        assert_eq!(
            outcome.await,
            Err(Failure::error("notFound: \"container with ID a not found\""))
        );
    }
}

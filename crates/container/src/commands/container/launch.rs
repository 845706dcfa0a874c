//! What `run` and `start` have in common: boot a container's virtual machine and start its process.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use container_client::ApiClient;
use container_client::api::{ContainerBootstrapRequest, ProcessReference};
use container_client::phases::{Phases, Stopwatch};
use container_client::stdio::StdioSet;

use crate::error::Failure;
use crate::log;
use crate::process::{self, Attachment, Session};
use crate::progress::Progress;

/// A container on its way up.
#[derive(Debug)]
pub(super) struct Launch<'a> {
    pub(super) api: &'a ApiClient,
    /// The container.
    pub(super) id: &'a str,
    pub(super) attachment: Attachment,
    /// Where the time goes.
    pub(super) watch: Stopwatch,
}

impl Launch<'_> {
    /// The container has been created.
    pub(super) fn created(&mut self, phases: Phases) {
        self.note("create", phases);
    }

    /// Boots the virtual machine and starts the process; there is a session unless it is detached.
    pub(super) async fn start(
        &mut self,
        progress: &mut Progress,
        cidfile: Option<&str>,
    ) -> Result<Option<Session>, Failure> {
        progress.last_step("Starting container");
        let (stdio, streams) = process::open(self.attachment).map_err(no_streams)?;
        let request = ContainerBootstrapRequest {
            id: self.id.to_owned(),
            stdio: StdioSet::default(),
            dynamic_env: dynamic_environment(),
        };
        let booted = self.api.bootstrap(request, stdio).await?;
        self.note("boot", booted);
        write_cidfile(cidfile, self.id)?;
        // From here on the terminal belongs to the process.
        progress.finish();
        let process = ProcessReference {
            id: self.id.to_owned(),
            process_identifier: self.id.to_owned(),
        };
        if self.attachment.detached {
            let started = self.api.start_process(process).await?;
            self.note("start", started);
            return Ok(None);
        }
        let (session, started) = process::start(self.api, process, streams, self.attachment).await?;
        self.note("start", started);
        Ok(Some(session))
    }

    /// A request has been answered: its own account of the time, or one lap.
    fn note(&mut self, name: &str, phases: Phases) {
        if phases.0.is_empty() {
            self.watch.lap(name);
        } else {
            self.watch.absorb(phases);
        }
    }
}

/// What a container gets anew at every start: the caller's SSH agent, for containers with `--ssh`.
pub(super) fn dynamic_environment() -> BTreeMap<String, String> {
    let agent = std::env::var("SSH_AUTH_SOCK").ok();
    let agent = agent.filter(|path| !path.is_empty());
    agent
        .map(|path| ("SSH_AUTH_SOCK".to_owned(), path))
        .into_iter()
        .collect()
}

/// Writes the id, without a newline, to the file that `--cidfile` names.
pub(super) fn write_cidfile(path: Option<&str>, id: &str) -> Result<(), Failure> {
    let Some(path) = path.filter(|path| !path.is_empty()) else {
        return Ok(());
    };
    std::fs::write(Path::new(path), id)
        .map_err(|error| Failure::error(format!("failed to create cidfile at {path}: {error}")))
}

/// Tells those who asked with `--debug` where the time went.
pub(super) fn report(phases: Phases) {
    for phase in phases.0 {
        log::debug(&format!("{}: {:.1} ms", phase.name, phase.milliseconds), &[]);
    }
}

pub(super) fn no_streams(error: io::Error) -> Failure {
    Failure::error(format!("failed to make standard streams: {error}"))
}

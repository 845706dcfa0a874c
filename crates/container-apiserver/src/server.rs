//! The server as a whole: its start, and its end.

use std::time::Duration;

use anyhow::Context;
use container_client::api::PingReply;
use container_client::services;
use container_config::Roots;
use container_ipc::{Endpoint, Listener, Router};
use tokio_util::sync::CancellationToken;

use crate::containers::Containers;
use crate::host_names;
use crate::image_service::ImageService;
use crate::jobs::Jobs;
use crate::kernels::Kernels;
use crate::networks::Networks;
use crate::routes;
use crate::volumes::Volumes;
use crate::work::Work;

/// How long operations may still take when the server is told to end.
const GRACE: Duration = Duration::from_secs(5);

/// `debug` or `release`.
const BUILD: &str = if cfg!(debug_assertions) {
    "debug"
} else {
    "release"
};
/// Seven hexadecimal digits of the commit; set at build time by `CONTAINER_COMMIT`.
const COMMIT: &str = match option_env!("CONTAINER_COMMIT") {
    Some(commit) => commit,
    None => "unspecified",
};

/// A server that holds its installation's socket and knows its containers.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    router: Router,
    containers: Containers,
    /// The local domain of containers' names.
    domain: Option<String>,
    work: Work,
}

impl Server {
    /// Takes the installation at `roots` and reads what is stored there. Clients can connect from now on and are
    /// answered by [`run`](Self::run).
    ///
    /// # Errors
    /// Another server runs, the configuration is wrong, or the application root cannot be used.
    pub async fn start(roots: Roots, debug: bool) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&roots.app)
            .with_context(|| format!("failed to create {}", roots.app.display()))?;
        let configuration = container_config::load(&roots)?;
        let runtime_directory = container_ipc::runtime_dir(&roots.app);
        let endpoint = Endpoint::new(&runtime_directory, &services::api_server());
        // Also the lock that makes this the only server: nothing before it may change anything.
        let listener = Listener::bind(&endpoint)?;

        let work = Work::default();
        let jobs = Jobs::open(&runtime_directory, roots.clone(), debug)?;
        // The user's login may have started this process, and `system stop` has to find it.
        jobs.register_server().await?;
        let images = ImageService::start(&runtime_directory, jobs.clone(), &configuration);
        let kernels = Kernels::open(&roots.app, work.clone())?;
        let app_root = roots.app.clone();
        let volumes = tokio::task::spawn_blocking(move || Volumes::open(&app_root))
            .await?
            .context("failed to read the volumes")?;
        let app_root = roots.app.clone();
        let (its_jobs, its_configuration) = (jobs.clone(), configuration.clone());
        let networks = tokio::task::spawn_blocking(move || {
            Networks::open(&app_root, &runtime_directory, its_jobs, &its_configuration)
        })
        .await?
        .context("failed to read the networks")?;
        let app_root = roots.app.clone();
        let domain = configuration.dns.domain.clone();
        let containers = Containers::new(
            app_root,
            configuration,
            images,
            volumes,
            networks,
            jobs,
            work.clone(),
        );
        let loading = containers.clone();
        tokio::task::spawn_blocking(move || loading.load())
            .await?
            .context("failed to read the containers")?;
        let router = routes::router(ping(roots), &containers, &kernels);
        Ok(Self {
            listener,
            router,
            containers,
            domain,
            work,
        })
    }

    /// Serves until `shutdown` is cancelled. Helpers go on running; the next server takes them over, as this one does
    /// with those that it finds.
    pub async fn run(self, shutdown: CancellationToken) {
        let Self {
            listener,
            router,
            containers,
            domain,
            work,
        } = self;
        containers.networks().run();
        containers.adopt_all();
        host_names::start(&containers, domain, &shutdown);
        tracing::info!("serving");
        container_ipc::serve(listener, router, shutdown).await;
        work.settle(GRACE).await;
        tracing::info!("ended");
    }
}

fn ping(roots: Roots) -> PingReply {
    let name = services::API_SERVER_PROGRAM;
    PingReply {
        app_root: roots.app,
        install_root: roots.install,
        log_root: roots.log,
        api_server_version: format!(
            "{name} version {} (build: {BUILD}, commit: {COMMIT})",
            env!("CARGO_PKG_VERSION")
        ),
        api_server_commit: COMMIT.to_owned(),
        api_server_build: BUILD.to_owned(),
        api_server_app_name: name.to_owned(),
    }
}

//! A server in a directory of its own.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use container_client::api::{
    ContainerBootstrapRequest, ContainerCreateRequest, ContainerFilter, ProcessReference, StopOptions,
};
use container_client::phases::Phases;
use container_client::{ApiClient, Bundle, services};
use container_ipc::Error;
use container_resource::{
    ContainerConfiguration, ContainerOptions, ContainerSnapshot, ContainerState, ExitStatus, Kernel, Platform,
};
use rustix::process::{Pid, Signal, kill_process};

pub(crate) type TestResult = Result<(), Box<dyn std::error::Error>>;

/// Something that should happen soon did not.
const SOON: Duration = Duration::from_secs(20);

/// An installation with a running server.
pub(crate) struct Installation {
    directory: tempfile::TempDir,
    server: Child,
    pub(crate) client: ApiClient,
}

impl Installation {
    /// Makes an installation and starts its server.
    pub(crate) async fn start() -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("apiserver").tempdir()?;
        let programs = directory.path().join("bin");
        fs::create_dir_all(&programs)?;
        fs::create_dir_all(directory.path().join("app/kernels"))?;
        fs::write(directory.path().join("app/kernels/vmlinux"), "kernel")?;
        let server = Path::new(env!("CARGO_BIN_EXE_container-apiserver"));
        // Examples are built into a directory beside the tests' own.
        let stand_in = std::env::current_exe()?.with_file_name("../examples/stand-in-helper");
        place(server, &programs.join(services::API_SERVER_PROGRAM))?;
        for name in [
            services::IMAGES_PROGRAM,
            services::NETWORK_PROGRAM,
            "container-runtime-linux",
        ] {
            place(&stand_in, &programs.join(name))?;
        }
        let server = spawn(directory.path())?;
        let client = connect(directory.path()).await?;
        Ok(Self {
            directory,
            server,
            client,
        })
    }

    pub(crate) fn app(&self) -> PathBuf {
        self.directory.path().join("app")
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn containers(&self) -> PathBuf {
        self.app().join("containers")
    }

    pub(crate) fn bundle(&self, id: &str) -> Bundle {
        Bundle::of_container(&self.app(), id)
    }

    /// What is in the directory of containers.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.containers())? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    /// Another connection.
    pub(crate) async fn connect(&self) -> io::Result<ApiClient> {
        connect(self.directory.path()).await
    }

    /// Ends the server with `signal` and waits for its end.
    pub(crate) fn end_server(&mut self, signal: Signal) -> io::Result<std::process::ExitStatus> {
        if let Some(pid) = i32::try_from(self.server.id()).ok().and_then(Pid::from_raw) {
            kill_process(pid, signal)?;
        }
        self.server.wait()
    }

    /// Starts a new server.
    pub(crate) async fn start_server(&mut self) -> io::Result<()> {
        self.server = spawn(self.directory.path())?;
        self.client = self.connect().await?;
        Ok(())
    }

    /// Signals the helper of the container `id`.
    pub(crate) fn signal_helper(&self, id: &str, signal: Signal) -> io::Result<()> {
        signal_pid_in(&self.bundle(id).path().join("pid"), signal)
    }

    /// The container `id`.
    pub(crate) async fn get(&self, id: &str) -> Result<ContainerSnapshot, Error> {
        self.client.get(id).await
    }

    pub(crate) async fn state(&self, id: &str) -> Result<ContainerState, Error> {
        Ok(self.get(id).await?.status.state)
    }

    /// Waits until the container `id` is in `state`.
    pub(crate) async fn becomes(&self, id: &str, state: ContainerState) -> Result<ContainerSnapshot, Error> {
        let deadline = Instant::now() + SOON;
        loop {
            let snapshot = self.get(id).await?;
            if snapshot.status.state == state {
                return Ok(snapshot);
            }
            if Instant::now() > deadline {
                return Err(Error::timeout(format!(
                    "{id} is {}, not {state}",
                    snapshot.status.state
                )));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn exists(&self, id: &str) -> Result<bool, Error> {
        let filter = ContainerFilter {
            ids: vec![id.to_owned()],
            ..Default::default()
        };
        Ok(!self.client.list(filter).await?.is_empty())
    }

    pub(crate) async fn create(&self, request: ContainerCreateRequest) -> Result<Phases, Error> {
        self.client.create(request).await
    }

    /// A container as `request` makes it, for `id`.
    pub(crate) fn request(&self, id: &str) -> ContainerCreateRequest {
        ContainerCreateRequest {
            configuration: configuration(id),
            kernel: Kernel {
                path: self.app().join("kernels/vmlinux"),
                platform: Platform::linux_host(),
                command_line: Default::default(),
            },
            options: ContainerOptions::default(),
            init_image: None,
        }
    }

    /// As [`request`](Self::request), with a helper that misbehaves.
    pub(crate) fn misbehaving(&self, id: &str, behaviour: &str) -> ContainerCreateRequest {
        let mut request = self.request(id);
        request
            .configuration
            .labels
            .insert("helper".to_owned(), behaviour.to_owned());
        request
    }

    pub(crate) async fn boot(&self, id: &str) -> Result<Phases, Error> {
        let request = ContainerBootstrapRequest {
            id: id.to_owned(),
            stdio: Default::default(),
            dynamic_env: Default::default(),
        };
        self.client.bootstrap(request, Default::default()).await
    }

    /// Boots a container and starts its init process.
    pub(crate) async fn run(&self, id: &str) -> Result<(), Error> {
        self.boot(id).await?;
        self.client.start_process(init(id)).await.map(|_| ())
    }

    pub(crate) async fn wait(&self, id: &str) -> Result<ExitStatus, Error> {
        self.client.wait(init(id)).await
    }

    pub(crate) async fn kill(&self, id: &str, signal: &str) -> Result<(), Error> {
        self.client.kill(init(id), signal).await
    }

    pub(crate) async fn stop(&self, id: &str, seconds: u32) -> Result<(), Error> {
        let options = StopOptions {
            timeout_in_seconds: Some(seconds),
            signal: None,
            ..StopOptions::default()
        };
        self.client.stop(id, options).await
    }

    /// The processes that run a program of this installation, without the server.
    pub(crate) fn helpers(&self) -> io::Result<Vec<String>> {
        let programs = self.directory.path().join("bin");
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let path = entry?.path();
            if let Ok(program) = fs::read_link(path.join("exe"))
                && program.starts_with(&programs)
                && !program.ends_with(services::API_SERVER_PROGRAM)
                && !program.ends_with(services::IMAGES_PROGRAM)
                && !program.ends_with(services::NETWORK_PROGRAM)
            {
                found.push(path.display().to_string());
            }
        }
        Ok(found)
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = signal_pid_in(&self.app().join("images.pid"), Signal::KILL);
        for network in fs::read_dir(self.app().join("networks"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let _ = signal_pid_in(&network.path().join("pid"), Signal::KILL);
        }
        for id in self.names().unwrap_or_default() {
            let _ = self.signal_helper(&id, Signal::KILL);
        }
        let run = container_ipc::runtime_dir(&self.app());
        if !run.starts_with(self.directory.path()) {
            let _ = fs::remove_dir_all(run);
        }
    }
}

pub(crate) fn init(id: &str) -> ProcessReference {
    ProcessReference {
        id: id.to_owned(),
        process_identifier: id.to_owned(),
    }
}

pub(crate) fn signal_pid_in(file: &Path, signal: Signal) -> io::Result<()> {
    let pid = fs::read_to_string(file)?
        .trim()
        .parse()
        .ok()
        .and_then(Pid::from_raw);
    Ok(kill_process(pid.ok_or(io::ErrorKind::InvalidData)?, signal)?)
}

fn place(program: &Path, name: &Path) -> io::Result<()> {
    fs::hard_link(program, name).or_else(|_| fs::copy(program, name).map(|_| ()))
}

/// A command that starts a server of the installation at `directory`.
pub(crate) fn server(directory: &Path) -> Command {
    let mut command = Command::new(directory.join("bin").join(services::API_SERVER_PROGRAM));
    command
        .args(["start", "--debug"])
        .env("CONTAINER_APP_ROOT", directory.join("app"))
        .env("CONTAINER_INSTALL_ROOT", directory)
        .env("CONTAINER_LOG_ROOT", directory.join("log"))
        .env_remove("http_proxy")
        .env_remove("HTTP_PROXY")
        .env_remove("all_proxy")
        .env_remove("ALL_PROXY")
        .stdin(Stdio::null());
    command
}

fn spawn(directory: &Path) -> io::Result<Child> {
    let log = fs::File::options()
        .create(true)
        .append(true)
        .open(directory.join("server.log"))?;
    server(directory).stdout(Stdio::null()).stderr(log).spawn()
}

async fn connect(directory: &Path) -> io::Result<ApiClient> {
    let run = container_ipc::runtime_dir(&directory.join("app"));
    let deadline = Instant::now() + SOON;
    loop {
        match ApiClient::connect(&run).await {
            Ok(client) => return Ok(client),
            Err(error) if Instant::now() > deadline => return Err(io::Error::other(error)),
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

fn configuration(id: &str) -> ContainerConfiguration {
    let json = serde_json::json!({
        "id": id,
        "creationDate": "2026-08-08T10:11:12Z",
        "runtimeHandler": "container-runtime-linux",
        "image": {
            "reference": "docker.io/library/busybox:latest",
            "descriptor": {
                "mediaType": "application/vnd.oci.image.index.v1+json",
                "digest": format!("sha256:{}", "2".repeat(64)),
                "size": 1,
            },
        },
        "platform": { "os": "linux", "architecture": "amd64" },
        "resources": { "cpus": 1, "memoryInBytes": 256 << 20, "cpuOverhead": 1 },
        "initProcess": {
            "executable": "/bin/sh",
            "arguments": [],
            "environment": [],
            "workingDirectory": "/",
            "terminal": false,
            "user": { "id": { "uid": 0, "gid": 0 } },
        },
        "networks": [{ "network": "default", "options": { "hostname": id } }],
    });
    serde_json::from_value(json).expect("a configuration")
}

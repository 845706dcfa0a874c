//! launchd, the service manager of macOS.
//!
//! Every service is a job of its own: only launchd can give a process a mach service, and what it started it keeps apart
//! from whoever asked for it. A job is loaded from a property list and starts at once. It runs once: a job that ended is
//! gone, be its end a crash or not, so that nothing but this project starts its services again.
//!
//! launchctl's exit status is believed when it is a failure. Its success is not: jobs are looked for after they were
//! loaded, and removed jobs are waited for.
//!
//! Everything here is tested on Linux against a program that answers as launchctl does.

mod domain;
mod launchctl;
mod print;
mod property_list;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use container_ipc::Endpoint;

use crate::error::{Error, Result};
use crate::job::Job;
use crate::launcher::Launcher;
use crate::private_file;
use domain::Domain;
use launchctl::{Launchctl, failed};

/// How long a job may take from being loaded until it has a process.
const START: Duration = Duration::from_secs(30);

/// How long a job may take to end when it is removed; launchd kills it after 20 s.
const END: Duration = Duration::from_secs(25);

/// How long launchd may refuse to load a job because it is busy with one of that name, which it is for some seconds after
/// the job is gone.
const SETTLE: Duration = Duration::from_secs(10);

/// How long a job that was loaded may be without a process before launchd is told to start it: now and then it does not
/// by itself.
const IDLE: Duration = Duration::from_secs(1);

/// `EIO` and `EALREADY`, which launchctl ends with while launchd is busy: it may succeed in a moment, or has already.
const BUSY: [i32; 2] = [5, 37];

/// How often launchd is asked while it is waited for: it announces nothing.
const RETRY: Duration = Duration::from_millis(20);

/// launchd as a way to start jobs.
#[derive(Clone, Debug)]
pub struct Launchd {
    launchctl: Launchctl,
    uid: u32,
    /// Tells the jobs of different installations apart.
    instance: String,
    /// Where property lists are that are loaded once.
    volatile: PathBuf,
    /// Where those are that launchd loads at every login.
    agents: Option<PathBuf>,
    at_login: bool,
    services: Vec<String>,
    /// See [`SETTLE`].
    settle: Duration,
    /// See [`IDLE`].
    idle: Duration,
}

impl Launchd {
    /// launchd, for the installation whose runtime directory this is.
    pub fn new(runtime_dir: &Path) -> Self {
        Self {
            launchctl: Launchctl::default(),
            uid: rustix::process::getuid().as_raw(),
            instance: container_ipc::short_hash(runtime_dir.as_os_str().as_encoded_bytes()),
            volatile: runtime_dir.join("launchd"),
            agents: std::env::home_dir().map(|home| home.join("Library/LaunchAgents")),
            at_login: false,
            services: Vec::new(),
            settle: SETTLE,
            idle: IDLE,
        }
    }

    /// The same, whose jobs serve `endpoint`: clients can connect before the job listens.
    #[must_use]
    pub fn serving(mut self, endpoint: &Endpoint) -> Self {
        self.services.push(endpoint.mach_name());
        self
    }

    /// The same, whose jobs also start whenever the user logs in.
    #[must_use]
    pub fn at_login(mut self, yes: bool) -> Self {
        self.at_login = yes;
        self
    }

    /// What launchd calls the job `label`.
    pub fn job_name(&self, label: &str) -> String {
        format!("{label}.{}", self.instance)
    }

    /// Removes the job `label`, which then does not start at login any more. If it runs it is ended, by force if need
    /// be.
    ///
    /// # Errors
    /// launchd does not answer or refuses, or the job does not end.
    pub async fn forget(&self, label: &str) -> Result<()> {
        let name = self.job_name(label);
        for directory in self.agents.iter().chain([&self.volatile]) {
            let path = directory.join(format!("{name}.plist"));
            match fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::File { path, source });
                }
                _ => {}
            }
        }
        self.remove(&name).await
    }

    /// Removes every job of this installation that launchd still knows.
    ///
    /// # Errors
    /// As [`forget`](Self::forget); all are tried.
    pub async fn forget_all(&self) -> Result<()> {
        let mut result = Ok(());
        for domain in Domain::all(self.uid) {
            let text = self.launchctl.ask(&["print", &domain.to_string()]).await?;
            let suffix = format!(".{}", self.instance);
            for label in
                print::labels(&text.unwrap_or_default()).filter_map(|name| name.strip_suffix(&suffix))
            {
                let forgotten = self.forget(label).await;
                result = result.and(forgotten);
            }
        }
        result
    }

    /// Writes the property list of `job` for `domain`.
    fn write(&self, job: &Job, domain: Domain) -> Result<PathBuf> {
        let name = self.job_name(&job.label);
        let text = property_list::property_list(job, &name, &self.services, domain)?;
        let directory = self
            .agents
            .as_ref()
            .filter(|_| self.at_login)
            .unwrap_or(&self.volatile);
        let path = directory.join(format!("{name}.plist"));
        let write = || {
            if let Some(parent) = job.log.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::create_dir_all(directory)?;
            private_file::write(&path, &text)
        };
        match write() {
            Ok(()) => Ok(path),
            Err(source) => Err(Error::File { path, source }),
        }
    }

    /// Loads the job `name` from `path`, and makes sure that it is there.
    async fn load(&self, domain: Domain, path: &Path, name: &str) -> Result<()> {
        let target = format!("{domain}/{name}");
        let (domain, path) = (domain.to_string(), path.to_string_lossy());
        let arguments = ["bootstrap", &domain, &path];
        let deadline = Instant::now() + self.settle;
        loop {
            let (text, status) = self.launchctl.run(&arguments).await?;
            if self.launchctl.ask(&["print", &target]).await?.is_some() {
                return Ok(());
            }
            if status.success() {
                let text = format!("launchd did not load {name}, or it ended at once");
                return Err(failed(&arguments, text));
            }
            let busy = status.code().is_some_and(|code| BUSY.contains(&code));
            if !busy || Instant::now() >= deadline {
                return Err(failed(&arguments, text));
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// The process of a job that was loaded.
    async fn started(&self, domain: Domain, name: &str, job: &Job) -> Result<i32> {
        let target = format!("{domain}/{name}");
        let ended = || Error::EndedAtOnce {
            label: job.label.clone(),
            log: job.log.clone(),
        };
        let (deadline, mut idle) = (Instant::now() + START, Some(Instant::now() + self.idle));
        loop {
            let text = self.launchctl.ask(&["print", &target]).await?;
            // A job that runs once is forgotten at its end.
            let state = print::job(&text.ok_or_else(ended)?);
            match state.pid {
                Some(pid) => return Ok(pid),
                None if state.has_ended => return Err(ended()),
                None if Instant::now() >= deadline => {
                    let text = format!("launchd did not start it within {} s", START.as_secs());
                    return Err(failed(&["print", &target], text));
                }
                None => {
                    if idle.take_if(|idle| Instant::now() >= *idle).is_some() {
                        // Refused when it has just started.
                        let _ = self.launchctl.tell(&["kickstart", &target]).await;
                    }
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// Has launchd forget the job `name` in every domain, and waits until it has.
    async fn remove(&self, name: &str) -> Result<()> {
        for domain in Domain::all(self.uid) {
            let target = format!("{domain}/{name}");
            let deadline = Instant::now() + END;
            let mut refusal = None;
            while self.launchctl.ask(&["print", &target]).await?.is_some() {
                if Instant::now() >= deadline {
                    let text = format!("{name} is still there after {} s", END.as_secs());
                    return Err(refusal.unwrap_or_else(|| failed(&["bootout", &target], text)));
                }
                // A second request for a job that is just ending is refused; the first one counts.
                let removed = self.launchctl.tell(&["bootout", &target]).await;
                refusal = refusal.or(removed.err());
                tokio::time::sleep(RETRY).await;
            }
        }
        Ok(())
    }
}

impl Launcher for Launchd {
    async fn launch(&self, job: &Job) -> Result<i32> {
        let name = self.job_name(&job.label);
        // One that ended may still be known.
        self.remove(&name).await?;
        let manager = self.launchctl.ask(&["managername"]).await?.unwrap_or_default();
        let mut refusal = None;
        for domain in Domain::choose(&manager, self.uid) {
            let path = self.write(job, domain)?;
            match self.load(domain, &path, &name).await {
                Ok(()) => return self.started(domain, &name, job).await,
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        Err(refusal.unwrap_or_else(|| failed(&["managername"], manager)))
    }
}

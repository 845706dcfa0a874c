//! The jobs of one runtime directory.

use std::path::Path;
use std::time::{Duration, Instant};

use container_ipc::{LockFile, ensure_private_dir};
use rustix::process::Signal;
use tokio::time::timeout;

use crate::detached::Detached;
use crate::error::{Error, Result};
use crate::job::Job;
use crate::launcher::Launcher;
use crate::platform::Process;
use crate::record::{Record, Records};

/// How long a killed process may take to end. The kernel is that slow only when a device does not answer.
const KILLED: Duration = Duration::from_secs(10);

/// How long another process may be busy starting a job of the same label.
const BUSY: Duration = Duration::from_secs(60);

/// How often the lock of a busy label is tried again: nothing announces its end.
const RETRY: Duration = Duration::from_millis(2);

/// Starts, finds and stops the jobs of one runtime directory. Cheap to clone; several processes may use the
/// same directory at once.
#[derive(Clone, Debug)]
pub struct ServiceManager {
    records: Records,
}

impl ServiceManager {
    /// The manager of `runtime_dir` ([`container_ipc::runtime_dir`]), which is created if needed and must be
    /// private to this user.
    pub fn open(runtime_dir: &Path) -> Result<Self> {
        let directory = runtime_dir.join("jobs");
        for path in [runtime_dir, &directory] {
            ensure_private_dir(path).map_err(Error::Directory)?;
        }
        Ok(Self {
            records: Records::new(directory),
        })
    }

    /// Starts `job` as a detached process, which survives this one. Gives its process number once the
    /// program runs.
    pub async fn start(&self, job: &Job) -> Result<i32> {
        self.start_with(&Detached, job).await
    }

    /// Starts `job` by `launcher`. Fails with [`Error::AlreadyRunning`] when a job of that label runs.
    pub async fn start_with(&self, launcher: &impl Launcher, job: &Job) -> Result<i32> {
        let taken = || Error::AlreadyRunning {
            label: job.label.clone(),
        };
        let _lock = self.records.lock(&job.label)?.ok_or_else(taken)?;
        if self.process(&job.label)?.is_some() {
            return Err(taken());
        }
        let pid = launcher.launch(job).await?;
        let record = Record::of(&job.label, pid).ok_or_else(|| Error::EndedAtOnce {
            label: job.label.clone(),
            log: job.log.clone(),
        })?;
        self.records.write(&record)?;
        Ok(pid)
    }

    /// Writes down that the calling process is the job `label`. A service that something else may have
    /// started, such as the login of its user, calls this first.
    pub async fn register_self(&self, label: &str) -> Result<()> {
        let own = rustix::process::getpid().as_raw_nonzero().get();
        let _lock = self.lock(label).await?;
        if let Some((record, _)) = self.process(label)? {
            return if record.pid == own {
                Ok(())
            } else {
                Err(Error::AlreadyRunning {
                    label: label.to_owned(),
                })
            };
        }
        match Record::of(label, own) {
            Some(record) => self.records.write(&record),
            None => Ok(()),
        }
    }

    /// Whether the job runs. A process that ended and was not reaped by its parent does not.
    pub fn is_running(&self, label: &str) -> Result<bool> {
        Ok(self.process(label)?.is_some())
    }

    /// The job's process, while it runs.
    pub fn pid(&self, label: &str) -> Result<Option<i32>> {
        Ok(self.process(label)?.map(|(record, _)| record.pid))
    }

    /// The labels of the jobs that run, in order. Forgets those that have ended.
    pub fn list(&self) -> Result<Vec<String>> {
        let mut labels = Vec::new();
        for record in self.records.all()? {
            labels.extend(self.running(record)?.map(|(record, _)| record.label));
        }
        Ok(labels)
    }

    /// Resolves when the job has ended; at once when it does not run.
    pub async fn wait(&self, label: &str) -> Result<()> {
        match self.process(label)? {
            Some((record, process)) => self.ended(&record, process).await,
            None => Ok(()),
        }
    }

    /// Asks the job to end by SIGTERM, and kills it when it still runs after `deadline`. Gives when it has
    /// ended; that it does not run is fine.
    pub async fn stop(&self, label: &str, deadline: Duration) -> Result<()> {
        let Some((record, process)) = self.process(label)? else {
            return Ok(());
        };
        signal(&record, &process, Signal::TERM)?;
        match timeout(deadline, self.ended(&record, process)).await {
            Ok(result) => result,
            Err(_) => self.kill(label).await,
        }
    }

    /// Kills the job by SIGKILL. Gives when it has ended; that it does not run is fine. Processes that the
    /// job started itself are not touched.
    pub async fn kill(&self, label: &str) -> Result<()> {
        let Some((record, process)) = self.process(label)? else {
            return Ok(());
        };
        signal(&record, &process, Signal::KILL)?;
        match timeout(KILLED, self.ended(&record, process)).await {
            Ok(result) => result,
            Err(_) => Err(Error::Unkillable {
                label: label.to_owned(),
            }),
        }
    }

    /// The right to start the job `label`, after everybody who is busy with it.
    async fn lock(&self, label: &str) -> Result<LockFile> {
        let end = Instant::now() + BUSY;
        loop {
            match self.records.lock(label)? {
                Some(lock) => return Ok(lock),
                None if Instant::now() < end => tokio::time::sleep(RETRY).await,
                None => {
                    return Err(Error::AlreadyRunning {
                        label: label.to_owned(),
                    });
                }
            }
        }
    }

    /// The job's process, while it runs. The record of one that has ended is removed.
    fn process(&self, label: &str) -> Result<Option<(Record, Process)>> {
        match self.records.read(label)? {
            Some(record) => self.running(record),
            None => Ok(None),
        }
    }

    fn running(&self, record: Record) -> Result<Option<(Record, Process)>> {
        if let Some(process) = record.process()? {
            return Ok(Some((record, process)));
        }
        self.records.remove(&record)?;
        Ok(None)
    }

    async fn ended(&self, record: &Record, process: Process) -> Result<()> {
        process.ended().await.map_err(|source| Error::Process {
            pid: record.pid,
            source,
        })?;
        self.records.remove(record)
    }
}

fn signal(record: &Record, process: &Process, signal: Signal) -> Result<()> {
    process.signal(signal).map_err(|source| Error::Process {
        pid: record.pid,
        source,
    })
}

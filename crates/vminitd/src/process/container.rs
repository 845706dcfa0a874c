//! One container: a bundle, a control group, and processes.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use oci_spec::runtime::Spec;

use super::fixup;
use super::lifecycle::{Launch, Process};
use super::namespaces;
use super::stdio::Streams;
use crate::cgroup::Cgroup;
use crate::error::{Context, Error, Result};
use crate::launcher::{Child, What};
use crate::rooted::Root;

/// Where bundles are.
const BUNDLES: &str = "/run/container";

/// A container that was created and not yet deleted.
#[derive(Debug)]
pub(crate) struct Container {
    id: String,
    bundle: PathBuf,
    root: PathBuf,
    cgroup: Option<Cgroup>,
    init: Arc<Process>,
    others: Mutex<HashMap<String, Arc<Process>>>,
}

impl Container {
    /// Writes the bundle and makes the control group. Blocks.
    pub(super) fn create(id: &str, configuration: &[u8], streams: Streams) -> Result<Self> {
        let mut spec = fixup::parse(configuration)?;
        let namespaces = namespaces::of(&spec)?;
        let root_path = spec.root().as_ref().map(|root| root.path().clone());
        let root_path = root_path.ok_or_else(|| Error::Invalid("container has no root".into()))?;
        let root = Root::open(&root_path).context(|| format!("failed to open {}", root_path.display()))?;
        let mut process = spec
            .process()
            .clone()
            .ok_or_else(|| Error::Invalid("container has no process".into()))?;
        fixup::complete(&mut process, &fixup::group_names(&spec), &root)?;
        let terminal = process.terminal() == Some(true);
        spec.set_process(Some(process));
        if let Some(name) = spec.hostname() {
            write_hostname(&root, name)?;
        }
        let bundle = Path::new(BUNDLES).join(id);
        let configuration = write_json(&bundle.join("config.json"), &spec)?;
        let cgroup = match cgroup(&spec) {
            Ok(cgroup) => cgroup,
            Err(error) => {
                let _ = fs::remove_file(configuration);
                return Err(error);
            }
        };
        let what = What::Run {
            bundle: bundle.clone(),
            namespaces,
        };
        let launch = Launch { what, terminal };
        Ok(Self {
            id: id.to_owned(),
            root: root_path,
            cgroup,
            init: Arc::new(Process::new(id.to_owned(), launch, streams)),
            others: Mutex::default(),
            bundle,
        })
    }

    /// Writes the configuration of one more process. Blocks.
    pub(super) fn add(&self, id: &str, configuration: &[u8], streams: Streams) -> Result<()> {
        let spec = fixup::parse(configuration)?;
        let mut process = spec
            .process()
            .clone()
            .ok_or_else(|| Error::Invalid("configuration has no process".into()))?;
        let root = Root::open(&self.root).context(|| format!("failed to open {}", self.root.display()))?;
        fixup::complete(&mut process, &fixup::group_names(&spec), &root)?;
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if id == self.id || others.contains_key(id) {
            return Err(Error::Exists(format!(
                "process {id} already exists in container {}",
                self.id
            )));
        }
        let path = write_json(&self.exec_directory(id).join("process.json"), &process)?;
        let launch = Launch {
            what: What::Exec { process: path },
            terminal: process.terminal() == Some(true),
        };
        others.insert(
            id.to_owned(),
            Arc::new(Process::new(id.to_owned(), launch, streams)),
        );
        Ok(())
    }

    fn exec_directory(&self, id: &str) -> PathBuf {
        self.bundle.join("execs").join(id)
    }

    /// Where its root file system is in the virtual machine.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The container's identifier.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The container's control group.
    pub(crate) fn cgroup(&self) -> Option<&Cgroup> {
        self.cgroup.as_ref()
    }

    /// The control group for a process to be born in: the container's, or for a further process the one that the
    /// first one is in now. A container that manages groups itself has moved it, and its own one takes no
    /// processes any more.
    pub(super) fn open_cgroup(&self, inside: Option<&Child>) -> Result<Option<OwnedFd>> {
        match (&self.cgroup, inside) {
            (None, _) => Ok(None),
            (Some(cgroup), None) => cgroup.open().map(Some),
            (Some(_), Some(init)) => Cgroup::of(init.pid)?.open().map(Some),
        }
    }

    /// The container's first process.
    pub(super) fn init(&self) -> &Arc<Process> {
        &self.init
    }

    /// A process by its identifier.
    pub(super) fn process(&self, id: &str) -> Result<Arc<Process>> {
        if id == self.id {
            return Ok(Arc::clone(&self.init));
        }
        let others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = || Error::NotFound(format!("process {id} not found in container {}", self.id));
        others.get(id).cloned().ok_or_else(missing)
    }

    /// Forgets a process that is not the first one.
    pub(super) fn forget(&self, id: &str) {
        let removed = self
            .others
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(id);
        if let Some(process) = removed {
            process.abandon();
        }
        remove(
            &self.exec_directory(id).join("process.json"),
            &[&self.exec_directory(id)],
        );
    }

    /// Removes what the container left. Blocks for up to 310 ms.
    pub(super) fn dismantle(&self) -> Result<()> {
        let others: Vec<String> = self
            .others
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .keys()
            .cloned()
            .collect();
        others.iter().for_each(|id| self.forget(id));
        self.init.abandon();
        // The root file system may still be mounted in the bundle: what is not the agent's own stays.
        remove(
            &self.bundle.join("config.json"),
            &[&self.bundle.join("execs"), &self.bundle],
        );
        self.cgroup.as_ref().map_or(Ok(()), Cgroup::remove)
    }
}

fn remove(file: &Path, directories: &[&Path]) {
    let _ = fs::remove_file(file);
    for directory in directories {
        let _ = fs::remove_dir(directory);
    }
}

fn cgroup(spec: &Spec) -> Result<Option<Cgroup>> {
    let Some(linux) = spec.linux() else {
        return Ok(None);
    };
    let Some(path) = linux.cgroups_path() else {
        return Ok(None);
    };
    let cgroup = Cgroup::create(path)?;
    if let Some(resources) = linux.resources()
        && let Err(error) = cgroup.apply(resources)
    {
        let _ = cgroup.remove();
        return Err(error);
    }
    Ok(Some(cgroup))
}

fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<PathBuf> {
    let write = || {
        fs::create_dir_all(path.parent().unwrap_or(path))?;
        fs::write(path, serde_json::to_vec(value)?)
    };
    write().context(|| format!("failed to write {}", path.display()))?;
    Ok(path.to_owned())
}

fn write_hostname(root: &Root, name: &str) -> Result<()> {
    match root.replace(Path::new("/etc/hostname"), format!("{name}\n").as_bytes()) {
        // A root file system that nobody can write keeps what it has.
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => Ok(()),
        result => result.context(|| "failed to write /etc/hostname".into()),
    }
}

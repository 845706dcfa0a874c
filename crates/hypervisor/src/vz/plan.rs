use std::ops::RangeInclusive;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use crate::{Architecture, Capabilities, Error, NicKind, Share, VmConfig, kernel_args};

const MIB: u64 = 1 << 20;

/// What the framework allows on this host.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    pub(super) cpus: RangeInclusive<usize>,
    /// In bytes.
    pub(super) memory: RangeInclusive<u64>,
}

/// What a machine consists of, in the framework's terms. It has an entropy device, a console and a socket device
/// besides, and no memory balloon: memory is given as the guest touches it and comes back when the machine ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) kernel: PathBuf,
    pub(super) command_line: String,
    pub(super) cpus: usize,
    /// In bytes, a multiple of a MiB.
    pub(super) memory: u64,
    pub(super) nested_virtualization: bool,
    pub(super) disks: Vec<Disk>,
    /// Directories of the host that the guest sees.
    pub(super) shares: Vec<SharedDirectory>,
    /// The guest can mount Rosetta.
    pub(super) rosetta: bool,
}

/// A virtio block device.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Disk {
    pub(super) path: PathBuf,
    pub(super) read_only: bool,
    /// At most 20 ASCII characters: the framework raises an exception for anything else.
    pub(super) identifier: String,
}

/// A directory that is shared. The framework shares nothing smaller: of a file it is the one that the file is in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SharedDirectory {
    pub(super) name: String,
    pub(super) directory: PathBuf,
    pub(super) read_only: bool,
}

impl From<&Share> for SharedDirectory {
    fn from(share: &Share) -> Self {
        let directory = match share.path.parent() {
            Some(parent) if !share.path.is_dir() => parent,
            _ => &share.path,
        };
        Self {
            name: share.name.clone(),
            directory: directory.to_owned(),
            read_only: share.read_only,
        }
    }
}

impl Plan {
    pub(super) fn new(config: &VmConfig, host: &Capabilities, limits: &Limits) -> Result<Self, Error> {
        config.check(host)?;
        let problem = |text: String| Err(Error::Config(text));
        if config.architecture != Architecture::HOST {
            return problem("the guest's processor is not the host's".to_owned());
        }
        let cpus = usize::try_from(config.cpus).unwrap_or(usize::MAX);
        if !limits.cpus.contains(&cpus) {
            let (least, most) = limits.cpus.clone().into_inner();
            return problem(format!(
                "{cpus} processors, where this host allows {least} to {most}"
            ));
        }
        let memory = config
            .memory
            .checked_next_multiple_of(MIB)
            .filter(|memory| limits.memory.contains(memory));
        let Some(memory) = memory else {
            let (least, most) = limits.memory.clone().into_inner();
            return problem(format!(
                "{} MiB of memory, where this host allows {} to {}",
                config.memory.div_ceil(MIB),
                least / MIB,
                most / MIB
            ));
        };
        if let Some(disk) = config.disks.iter().find(|disk| !disk.serial.is_ascii()) {
            return problem(format!("disk serial {} is not ASCII", disk.serial));
        }
        if !config.nics.iter().all(|nic| is_usable(&nic.kind)) {
            return problem("a network that this host does not have".to_owned());
        }
        let disks = config.disks.iter().map(|disk| Disk {
            path: disk.path.clone(),
            read_only: disk.read_only,
            identifier: disk.serial.clone(),
        });
        Ok(Self {
            kernel: config.kernel.clone(),
            command_line: command_line(config),
            cpus,
            memory,
            nested_virtualization: config.nested_virtualization,
            disks: disks.collect(),
            shares: config.shares.iter().map(SharedDirectory::from).collect(),
            rosetta: config.rosetta,
        })
    }
}

/// Whether the framework knows such a network. It raises an exception for a descriptor that is no socket.
fn is_usable(kind: &NicKind) -> bool {
    match kind {
        NicKind::Nat => true,
        NicKind::Tap(frames) => frames
            .try_clone()
            .is_ok_and(|frames| UnixDatagram::from(frames).local_addr().is_ok()),
    }
}

/// A kernel that panics stays as it is (`panic=0`) until the end of its message has been read from the console: the
/// framework would restart the machine without a word.
fn command_line(config: &VmConfig) -> String {
    let mut words = vec!["console=hvc0".to_owned()];
    if config.architecture == Architecture::X86_64 {
        words.push("tsc=reliable".to_owned());
    }
    words.push("panic=0".to_owned());
    kernel_args::command_line(words, &config.kernel_args)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::MacAddress;
    use crate::Nic;
    use crate::Rosetta;

    const HOST: Capabilities = Capabilities {
        hardware_acceleration: true,
        nested_virtualization: false,
        rosetta: Rosetta::NotInstalled,
        pause: true,
        memory_use: false,
        max_disks: 3,
        max_devices: 5,
    };

    fn config() -> VmConfig {
        let mut config = VmConfig::new("web", "/kernel", "/log");
        config.memory = 512 * MIB + 1;
        config.cpus = 2;
        config.disks = vec![
            crate::Disk::read_only("/init", "init"),
            crate::Disk::writable("/scratch", "scratch"),
        ];
        config.shares = vec![
            Share {
                name: "0".to_owned(),
                path: "/".into(),
                read_only: false,
                live: false,
            },
            Share {
                name: "1".to_owned(),
                path: "/nowhere/file".into(),
                read_only: true,
                live: false,
            },
        ];
        config.nics = vec![Nic {
            mac: MacAddress([2, 0, 0, 0, 0, 1]),
            kind: NicKind::Nat,
        }];
        config
    }

    fn plan(config: &VmConfig) -> Result<Plan, Error> {
        let limits = Limits {
            cpus: 1..=4,
            memory: 128 * MIB..=1024 * MIB,
        };
        Plan::new(config, &HOST, &limits)
    }

    #[test]
    fn a_machine() {
        let clock = match Architecture::HOST {
            Architecture::X86_64 => " tsc=reliable",
            Architecture::Aarch64 => "",
        };
        let mut config = config();
        config.kernel_args = vec!["quiet".to_owned()];
        let expected = Plan {
            kernel: "/kernel".into(),
            command_line: format!(
                "console=hvc0{clock} panic=0 quiet oops=panic lsm=lockdown,capability,landlock,yama,apparmor \
                 init=/sbin/vminitd ro rootfstype=erofs root=/dev/vda"
            ),
            cpus: 2,
            memory: 513 * MIB,
            nested_virtualization: false,
            disks: vec![
                Disk {
                    path: "/init".into(),
                    read_only: true,
                    identifier: "init".to_owned(),
                },
                Disk {
                    path: "/scratch".into(),
                    read_only: false,
                    identifier: "scratch".to_owned(),
                },
            ],
            shares: vec![
                SharedDirectory {
                    name: "0".to_owned(),
                    directory: "/".into(),
                    read_only: false,
                },
                SharedDirectory {
                    name: "1".to_owned(),
                    directory: "/nowhere".into(),
                    read_only: true,
                },
            ],
            rosetta: false,
        };
        assert_eq!(plan(&config).unwrap(), expected);
        // Frames come through a socket where a network has a helper of its own.
        let (frames, _) = UnixDatagram::pair().unwrap();
        config.nics[0].kind = NicKind::Tap(frames.into());
        assert_eq!(plan(&config).unwrap(), expected);
    }

    #[test]
    fn what_the_framework_would_refuse() {
        type Change = fn(&mut VmConfig);
        let changes: [(Change, &str); 9] = [
            (
                |config| config.cpus = 5,
                "5 processors, where this host allows 1 to 4",
            ),
            (
                |config| config.memory = 1,
                "1 MiB of memory, where this host allows 128 to 1024",
            ),
            (|config| config.memory = u64::MAX, "allows 128 to 1024"),
            (
                |config| config.disks[0].serial = "größe".to_owned(),
                "disk serial größe is not ASCII",
            ),
            (
                |config| config.disks[0].serial = "x".repeat(21),
                "longer than 20 bytes",
            ),
            (
                |config| config.disks = vec![config.disks[0].clone(); 4],
                "more than 5 disks and network interfaces",
            ),
            (
                |config| {
                    config.nics.clear();
                    config.disks = vec![config.disks[0].clone(); 4];
                },
                "more than 3 disks",
            ),
            (
                |config| config.nics[0].kind = NicKind::Tap(File::open("/dev/null").unwrap().into()),
                "a network that this host does not have",
            ),
            (
                |config| {
                    config.architecture = match Architecture::HOST {
                        Architecture::X86_64 => Architecture::Aarch64,
                        Architecture::Aarch64 => Architecture::X86_64,
                    }
                },
                "the guest's processor is not the host's",
            ),
        ];
        for (change, problem) in changes {
            let mut config = config();
            change(&mut config);
            let error = plan(&config).unwrap_err().to_string();
            assert!(
                error.starts_with("invalid virtual machine configuration: ") && error.contains(problem),
                "{error}"
            );
        }
        let mut config = config();
        config.nested_virtualization = true;
        assert!(matches!(plan(&config), Err(Error::NestedVirtualization)));
    }

    #[test]
    fn rosetta_has_to_be_installed() {
        let mut config = config();
        config.rosetta = true;
        let error = plan(&config).unwrap_err().to_string();
        assert!(error.contains("softwareupdate --install-rosetta"), "{error}");
        let host = Capabilities {
            rosetta: Rosetta::Installed,
            ..HOST
        };
        let limits = Limits {
            cpus: 1..=4,
            memory: 128 * MIB..=1024 * MIB,
        };
        assert!(Plan::new(&config, &host, &limits).unwrap().rosetta);
        // Two disks, an interface, what is shared, and Rosetta: one more is too much.
        config.disks.push(crate::Disk::writable("/volume", "volume"));
        assert!(matches!(
            Plan::new(&config, &host, &limits),
            Err(Error::Config(_))
        ));
    }
}

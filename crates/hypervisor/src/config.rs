use std::fmt;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use crate::{Capabilities, Error, Rosetta};

/// What a virtual machine is made of.
#[derive(Debug)]
pub struct VmConfig {
    /// A name for the process list and for logs.
    pub name: String,
    /// The guest's processor.
    pub architecture: Architecture,
    /// Kernel image: an uncompressed `vmlinux` with a PVH note on x86-64, an `Image` on arm64.
    pub kernel: PathBuf,
    /// Words added to the kernel command line (`--kernel-arg`), between the fixed ones as `behaviour.md` 28.2 says.
    pub kernel_args: Vec<String>,
    /// Virtual processors, at least one.
    pub cpus: u32,
    /// Memory in bytes, rounded up to a whole MiB. The host gives it as the guest touches it and gets it
    /// back when the machine stops, never before.
    pub memory: u64,
    /// Disks: the first one is `/dev/vda` and holds the guest's root as EROFS, the next are `/dev/vdb`, `/dev/vdc`….
    pub disks: Vec<Disk>,
    /// Network interfaces `eth0`, `eth1`….
    pub nics: Vec<Nic>,
    /// Directories and files of the host that the guest can mount, all of them in one virtio-fs device with the tag
    /// [`SHARES_TAG`].
    pub shares: Vec<Share>,
    /// File to which the guest's console (`hvc0`) is appended.
    pub console_log: PathBuf,
    /// The guest may run virtual machines itself.
    pub nested_virtualization: bool,
    /// The guest can mount Rosetta, which runs programs of x86-64 on arm64, as a virtio-fs device with the tag
    /// [`ROSETTA_TAG`].
    pub rosetta: bool,
    /// How long the guest may take from the start of the machine until its agent answers.
    pub boot_timeout: Duration,
}

impl VmConfig {
    /// A machine of the host's architecture with one processor, 1 GiB of memory and no devices.
    pub fn new(name: impl Into<String>, kernel: impl Into<PathBuf>, console_log: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            architecture: Architecture::HOST,
            kernel: kernel.into(),
            kernel_args: Vec::new(),
            cpus: 1,
            memory: 1 << 30,
            disks: Vec::new(),
            nics: Vec::new(),
            shares: Vec::new(),
            console_log: console_log.into(),
            nested_virtualization: false,
            rosetta: false,
            boot_timeout: Duration::from_secs(40),
        }
    }
}

impl VmConfig {
    /// Checks what no machine can have, and what the machines of this host have at most.
    ///
    /// # Errors
    /// [`Error::Config`] says what is wrong, [`Error::NestedVirtualization`] and [`Error::Rosetta`] that they are not to be
    /// had.
    pub(crate) fn check(&self, host: &Capabilities) -> Result<(), Error> {
        let problem = if self.cpus == 0 {
            "no processors".to_owned()
        } else if self.memory == 0 {
            "no memory".to_owned()
        } else if self.disks.is_empty() {
            "no disk to boot from".to_owned()
        } else if self.devices() > host.max_devices {
            format!("more than {} disks and network interfaces", host.max_devices)
        } else if self.disks.len() > host.max_disks {
            format!("more than {} disks", host.max_disks)
        } else if let Some(disk) = self.disks.iter().find(|disk| disk.serial.len() > 20) {
            format!("disk serial {} is longer than 20 bytes", disk.serial)
        } else if let Some(share) = self.shares.iter().find(|share| !share.is_sound()) {
            format!("no path that can be shared: {}", share.path.display())
        } else if self.kernel_args.iter().any(|word| word.contains('\0')) || self.name.contains('\0') {
            "a NUL character".to_owned()
        } else if self.nested_virtualization && !host.nested_virtualization {
            return Err(Error::NestedVirtualization);
        } else if self.rosetta && host.rosetta != Rosetta::Installed {
            return Err(Error::Rosetta(host.rosetta));
        } else {
            return Ok(());
        };
        Err(Error::Config(problem))
    }

    /// How many devices it has besides those that every machine has.
    fn devices(&self) -> usize {
        let shared = usize::from(!self.shares.is_empty()) + usize::from(self.rosetta);
        self.disks.len() + self.nics.len() + shared
    }
}

/// A processor architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// `amd64`.
    X86_64,
    /// `arm64`.
    Aarch64,
}

impl Architecture {
    /// The architecture that this program was compiled for.
    pub const HOST: Self = if cfg!(target_arch = "aarch64") {
        Self::Aarch64
    } else {
        Self::X86_64
    };
}

/// A disk, backed by a raw image file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// The image. Its size is the disk's.
    pub path: PathBuf,
    /// The guest cannot write, because the file is not even opened for it. Such files may be shared by many machines.
    pub read_only: bool,
    /// Serial number that the guest sees, at most 20 bytes.
    pub serial: String,
}

impl Disk {
    /// A disk that the guest can only read.
    pub fn read_only(path: impl Into<PathBuf>, serial: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            read_only: true,
            serial: serial.into(),
        }
    }

    /// A disk that the guest can write.
    pub fn writable(path: impl Into<PathBuf>, serial: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            read_only: false,
            serial: serial.into(),
        }
    }
}

/// The tag under which the guest mounts what is shared with it.
pub const SHARES_TAG: &str = "virtiofs";

/// The tag under which the guest mounts Rosetta.
pub const ROSETTA_TAG: &str = "rosetta";

/// A directory or file of the host that the guest can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// A directory at the top of the guest's mount, unlike any other share's. A directory of the host is what is seen
    /// there. A file is in there under its own name; on macOS so is what is beside it.
    pub name: String,
    /// The absolute path on the host.
    pub path: PathBuf,
    /// The host refuses every change.
    pub read_only: bool,
    /// Other machines change it meanwhile: the guest keeps nothing of what it was told, here or of the other shares. On
    /// macOS that is up to the framework.
    pub live: bool,
}

impl Share {
    /// A name of letters and digits, an absolute path without a NUL character.
    fn is_sound(&self) -> bool {
        !self.name.is_empty()
            && self.name.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && self.path.is_absolute()
            && !self.path.as_os_str().as_encoded_bytes().contains(&0)
    }
}

/// A hardware address of Ethernet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MacAddress(pub [u8; 6]);

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// A network interface.
#[derive(Debug)]
pub struct Nic {
    /// Its hardware address.
    pub mac: MacAddress,
    /// What it is connected to.
    pub kind: NicKind,
}

/// What a network interface is connected to.
#[derive(Debug)]
pub enum NicKind {
    /// The network that macOS makes for all virtual machines, behind address translation.
    Nat,
    /// What a network's helper gave for it. On Linux a tap device, where frames come after a `virtio_net_hdr`
    /// (`IFF_VNET_HDR`); on macOS a datagram socket, with a frame per message.
    Tap(OwnedFd),
}

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{Error, ExitReason, VmConfig};

/// The port on which the guest's agent serves (`behaviour.md` 28.1).
pub const AGENT_PORT: u32 = 1024;

/// A byte stream in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection between host and guest. Shutting it down closes one direction.
pub type Connection = Box<dyn Duplex>;

/// What the virtual machines of a host can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// The guest's instructions run on the host's processor. Otherwise they are emulated, which is much slower.
    pub hardware_acceleration: bool,
    /// Guests may run virtual machines themselves.
    pub nested_virtualization: bool,
    /// Whether guests can be given Rosetta.
    pub rosetta: Rosetta,
    /// [`pause`](VirtualMachine::pause) and [`resume`](VirtualMachine::resume) work.
    pub pause: bool,
    /// [`memory_in_use`](VirtualMachine::memory_in_use) works.
    pub memory_use: bool,
    /// The largest number of disks of one machine.
    pub max_disks: usize,
    /// The largest number of disks and network interfaces of one machine together.
    pub max_devices: usize,
}

/// Apple's translation of x86-64 programs for arm64 guests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rosetta {
    /// This host cannot have it.
    Unsupported,
    /// This host could have it.
    NotInstalled,
    /// Guests can be given it.
    Installed,
}

/// What makes virtual machines on this host.
pub trait Hypervisor: Send + Sync {
    /// What its machines can do.
    fn capabilities(&self) -> Capabilities;

    /// Checks the configuration, opens its files and makes a machine of it that is not started yet.
    ///
    /// # Errors
    /// The hypervisor is not installed, a file cannot be opened, or the machine is not possible here.
    fn create(&self, config: VmConfig) -> Result<Box<dyn VirtualMachine>, Error>;
}

/// A virtual machine. Dropping it ends it at once.
#[async_trait]
pub trait VirtualMachine: Send + Sync {
    /// Starts the machine; resolves when the guest's processors run, not when its agent answers. Once only.
    ///
    /// # Errors
    /// The hypervisor could not be started, or ended at once: the error has its last words.
    async fn start(&self) -> Result<(), Error>;

    /// Ends the machine as pulling its plug would, but after everything the guest has written and flushed is with
    /// the host's files. Nothing to do when it is over already.
    ///
    /// # Errors
    /// The machine was never started.
    async fn stop(&self) -> Result<(), Error>;

    /// Ends the machine at once, without the help of guest or hypervisor. Does nothing when it is over.
    fn kill(&self);

    /// Stops the guest's processors.
    ///
    /// # Errors
    /// The machine does not run.
    async fn pause(&self) -> Result<(), Error>;

    /// Lets the guest's processors run again.
    ///
    /// # Errors
    /// The machine does not run.
    async fn resume(&self) -> Result<(), Error>;

    /// Connects to a port of the guest, as soon as somebody listens there. While the guest boots it waits for
    /// what is left of [`boot_timeout`](VmConfig::boot_timeout), later for up to ten seconds.
    ///
    /// # Errors
    /// The machine ended ([`Error::Exited`] says why), or nobody listened in time ([`Error::Silent`]).
    async fn connect(&self, port: u32) -> Result<Connection, Error>;

    /// Listens for connections that the guest makes to a port of the host.
    ///
    /// # Errors
    /// The port is taken, or the machine does not run.
    fn listen(&self, port: u32) -> Result<Box<dyn Listener>, Error>;

    /// Resolves when the machine is over. Any number of callers may wait, also after the end.
    async fn wait(&self) -> ExitReason;

    /// Bytes of the host's memory that the machine holds now.
    ///
    /// # Errors
    /// The machine does not run, or this host does not tell ([`Capabilities::memory_use`]).
    fn memory_in_use(&self) -> Result<u64, Error>;
}

/// Accepts connections that the guest makes to one port. Dropping it frees the port.
#[async_trait]
pub trait Listener: Send {
    /// The next connection. May be cancelled: no connection is lost.
    ///
    /// # Errors
    /// The machine is over.
    async fn accept(&mut self) -> Result<Connection, Error>;
}

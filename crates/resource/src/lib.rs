//! The resources users see: containers, images, sizes, names, platforms.
//!
//! Every type here serialises to the JSON that `container … --format json` prints (behaviour reference, section 5)
//! and is what the processes exchange and store. There is no input or output in this crate.

pub mod capability;
pub mod commit;
pub mod container;
pub mod disk_usage;
pub mod event;
pub mod filesystem;
pub mod health;
pub mod image;
pub mod journal;
pub mod kernel;
pub mod label;
pub mod name;
pub mod network;
pub mod paths;
pub mod platform;
pub mod process;
pub mod reference;
pub mod registry;
pub mod restart;
pub mod secret;
pub mod size;
pub mod statistics;
pub mod subnet;
pub mod time;
pub mod volume;

pub use container::{
    ContainerConfiguration, ContainerOptions, ContainerSnapshot, ContainerState, ContainerStatus, ExtraHost,
    Resources,
};
pub use disk_usage::{DiskUsage, DiskUsageStats};
pub use event::Event;
pub use filesystem::{Filesystem, FilesystemType};
pub use image::{Descriptor, ImageDescription, ImageResource};
pub use journal::{Journal, JournalMode};
pub use kernel::{Kernel, KernelCommandLine};
pub use network::{
    Attachment, AttachmentConfiguration, DnsConfiguration, Network, NetworkConfiguration, NetworkMode,
    NetworkStatus, PublishPort, PublishSocket,
};
pub use platform::Platform;
pub use process::{ExitStatus, ProcessConfiguration, Rlimit, RunningProcess, User};
pub use reference::Reference;
pub use registry::RegistryResource;
pub use restart::{RestartMode, RestartPolicy};
pub use secret::Secret;
pub use size::MemorySize;
pub use statistics::ContainerStatistics;
pub use volume::{Volume, VolumeConfiguration};

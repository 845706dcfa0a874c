//! The virtual machine of a container: its devices, its boot, its end (behaviour reference, 28).

use std::convert::Infallible;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use container_client::phases::Stopwatch;
use container_client::{Bundle, BundleConfiguration};
use container_ext4::{Directory, Journal, JournalMode, Options};
use container_hypervisor::{
    AGENT_PORT, Architecture, Connection, Disk, Hypervisor, Nic, VirtualMachine, VmConfig, platform,
};
use container_ipc::Error;
use container_resource::{ContainerConfiguration, Resources};
use container_sandbox::Agent;
use container_sandbox::proto::UmountRequest;

use crate::error::Error as RuntimeError;
use crate::network::Links;
use crate::process::{Guest, limited};
use crate::{guest, network, rosetta, shares, volumes};

/// Memory of the machine beyond the container's limit, in bytes: the guest's kernel and agent.
const MEMORY_OVERHEAD: u64 = 128 << 20;
/// Capacity of a scratch disk, in bytes; it takes what is written to it.
const SCRATCH_SIZE: u64 = 512 << 30;
/// Size of a scratch disk's journal, in bytes. The host gives all of it to a container that writes a lot, so it is
/// much smaller than what the capacity would ask for.
const SCRATCH_JOURNAL: u64 = 64 << 20;
/// How long the guest may take to answer: a busy host that emulates many machines needs many times what one takes.
const BOOT_TIMEOUT: Duration = Duration::from_secs(60);
/// `MNT_DETACH`: with everything below, and whoever uses it.
const DETACH: i32 = 2;
/// How often the guest's clock is set to the host's.
const CLOCK_INTERVAL: Duration = Duration::from_secs(30);

/// Boots the machine of `bundle` and sets its guest up for the init process. On failure nothing of it is left.
///
/// # Errors
/// A disk is missing, the hypervisor fails, or the guest does not come up.
pub(crate) async fn boot(
    bundle: &Bundle,
    container: &BundleConfiguration,
    network_plugins: &[String],
    watch: &mut Stopwatch,
) -> Result<(Guest, Links), Error> {
    let configuration = &container.configuration;
    make_scratch_disk(bundle, configuration)?;
    watch.lap("disk");
    let (nics, links) = network::attach(&configuration.networks, network_plugins).await?;
    let attachments = links.attachments();
    watch.lap("network");
    let (machine, stream) = power_on(bundle, container, nics, watch).await?;
    let agent = Agent::connect(stream).await?;
    watch.lap("kernel");
    let guest = Guest::new(configuration.id.clone(), agent, Arc::from(machine));
    let default_nameserver = network::name_server(attachments);
    let set_up = async {
        let root = async {
            guest::mount_root(&guest.agent, &guest.container).await?;
            guest::configure_names(
                &guest.agent,
                configuration,
                attachments,
                default_nameserver.as_deref(),
            )
            .await
        };
        tokio::try_join!(
            root,
            volumes::mount(&guest.agent, configuration),
            shares::mount(&guest.agent, configuration),
            rosetta::set_up(&guest.agent, configuration),
            guest::configure_network(&guest.agent, attachments),
            guest::set_time(&guest.agent),
        )
    };
    limited(set_up).await?;
    volumes::fill(&guest.agent, configuration).await?;
    watch.lap("guest");
    Ok((guest, links))
}

/// Boots the machine of `bundle` for the container's files alone: without network, and never with a process. With `mounted`,
/// volumes and the host's directories are where the container has them. On failure nothing of it is left.
///
/// # Errors
/// As [`boot`].
pub(crate) async fn boot_offline(
    bundle: &Bundle,
    container: &BundleConfiguration,
    mounted: bool,
) -> Result<Guest, Error> {
    let mut container = container.clone();
    // No program of the container is run.
    container.configuration.rosetta = false;
    if !mounted {
        container.configuration.mounts.clear();
    }
    let configuration = &container.configuration;
    make_scratch_disk(bundle, configuration)?;
    let (machine, stream) = power_on(bundle, &container, Vec::new(), &mut Stopwatch::default()).await?;
    let agent = Agent::connect(stream).await?;
    let guest = Guest::new(configuration.id.clone(), agent, Arc::from(machine));
    let set_up = async {
        tokio::try_join!(
            guest::mount_root(&guest.agent, &guest.container),
            volumes::mount(&guest.agent, configuration),
            shares::mount(&guest.agent, configuration),
            guest::set_time(&guest.agent),
        )?;
        guest::bind_mounts(&guest.agent, configuration).await
    };
    limited(set_up).await?;
    Ok(guest)
}

/// Ends a machine that was booted for the container's files alone.
pub(crate) async fn end_offline(guest: &Guest, configuration: &ContainerConfiguration) {
    // With everything that is mounted below: no path of the container is followed.
    let root = UmountRequest {
        path: guest::root_path(&guest.container),
        flags: DETACH,
    };
    if let Err(error) = limited(guest.agent.umount(root)).await {
        tracing::warn!(%error, "failed to unmount the root");
    }
    volumes::unmount(guest, configuration).await;
    unmount_all(guest, &["scratch"]).await;
    if let Err(error) = guest.machine.stop().await {
        tracing::warn!(%error, "failed to stop the virtual machine");
    }
    guest.machine.kill();
    guest.machine.wait().await;
}

/// Starts the machine and waits until its agent answers.
async fn power_on(
    bundle: &Bundle,
    container: &BundleConfiguration,
    nics: Vec<Nic>,
    watch: &mut Stopwatch,
) -> Result<(Box<dyn VirtualMachine>, Connection), RuntimeError> {
    let configuration = &container.configuration;
    let config = VmConfig {
        architecture: if container.kernel.platform.architecture == "arm64" {
            Architecture::Aarch64
        } else {
            Architecture::X86_64
        },
        kernel_args: container.kernel.command_line.kernel_args.clone(),
        cpus: processors(configuration.resources),
        memory: configuration.resources.memory_in_bytes + MEMORY_OVERHEAD,
        disks: vec![
            Disk::read_only(bundle.init_disk(), "init"),
            Disk::read_only(bundle.root_disk(), "image"),
            Disk::writable(bundle.scratch_disk(), "scratch"),
        ]
        .into_iter()
        .chain(volumes::disks(configuration))
        .collect(),
        nics,
        shares: shares::shares(configuration),
        nested_virtualization: configuration.virtualization,
        rosetta: configuration.rosetta,
        boot_timeout: BOOT_TIMEOUT,
        ..VmConfig::new(&configuration.id, bundle.kernel(), bundle.boot_log())
    };
    let machine = platform::Hypervisor::new().create(config)?;
    machine.start().await?;
    watch.lap("hypervisor");
    let stream = machine.connect(AGENT_PORT).await?;
    Ok((machine, stream))
}

/// The container's processors and, where the host has more, one for the machine itself.
fn processors(resources: Resources) -> u32 {
    let host = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let host = u32::try_from(host).unwrap_or(u32::MAX);
    (resources.cpus + resources.cpu_overhead)
        .min(host.max(resources.cpus))
        .max(1)
}

/// Makes the container's own disk unless an earlier start has.
fn make_scratch_disk(bundle: &Bundle, configuration: &ContainerConfiguration) -> Result<(), RuntimeError> {
    let path = bundle.scratch_disk();
    if path.exists() {
        return Ok(());
    }
    // A half-made disk must never be found by the next start.
    let temporary = path.with_extension("new");
    let make = || -> io::Result<()> {
        let file: File = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&temporary)?;
        let directories = guest::SCRATCH_DIRECTORIES.map(Directory::new);
        let options = Options {
            journal: Some(journal(configuration.journal)),
            label: "scratch",
            directories: &directories,
            ..Options::new(configuration.resources.storage.unwrap_or(SCRATCH_SIZE))
        };
        container_ext4::format(&file, &options).map_err(io::Error::other)?;
        fs::rename(&temporary, &path)
    };
    make().map_err(|error| {
        let _ = fs::remove_file(&temporary);
        RuntimeError::ScratchDisk(error.to_string())
    })
}

/// The journal that was asked for, else an ordered one.
fn journal(wanted: Option<container_resource::Journal>) -> Journal {
    let mode = wanted.map_or(JournalMode::Ordered, |journal| journal.mode);
    let size = wanted.and_then(|journal| journal.size).unwrap_or(SCRATCH_JOURNAL);
    Journal {
        mode,
        size: Some(size),
    }
}

/// Sets the guest's clock every half minute: a host that slept would leave it behind.
pub(crate) async fn keep_time(agent: &Agent) -> Infallible {
    loop {
        tokio::time::sleep(CLOCK_INTERVAL).await;
        if let Err(error) = limited(guest::set_time(agent)).await {
            tracing::warn!(%error, "failed to set the guest's clock");
        }
    }
}

/// Unmounts the container's root so that its disk is clean.
pub(crate) async fn unmount(guest: &Guest) {
    unmount_all(guest, &["rootfs", "scratch"]).await;
}

async fn unmount_all(guest: &Guest, mounts: &[&str]) {
    let directory = format!("/run/container/{}", guest.container);
    for mount in mounts {
        let request = UmountRequest {
            path: format!("{directory}/{mount}"),
            flags: 0,
        };
        if let Err(error) = limited(guest.agent.umount(request)).await {
            // The journal keeps the disk consistent; what was not written yet is lost as after a power failure.
            tracing::warn!(%error, mount, "failed to unmount");
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_never_has_more_processors_than_host_and_container() {
        let resources = |cpus| Resources {
            cpus,
            ..Resources::default()
        };
        let host = u32::try_from(std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
            .unwrap_or(1);
        assert_eq!(processors(resources(host)), host);
        assert_eq!(processors(resources(host + 3)), host + 3);
        assert_eq!(processors(resources(1)), 2.min(host));
    }

    #[test]
    fn a_scratch_disk_is_made_once_and_small() -> io::Result<()> {
        use std::os::unix::fs::MetadataExt;

        let directory = tempfile::tempdir()?;
        let bundle = Bundle::new(directory.path());
        let configuration = crate::testing::configuration("web");
        make_scratch_disk(&bundle, &configuration).map_err(io::Error::other)?;
        let made = fs::metadata(bundle.scratch_disk())?;
        assert!(made.len() >= SCRATCH_SIZE);
        assert!(
            made.blocks() * 512 < 4 << 20,
            "{} bytes allocated",
            made.blocks() * 512
        );
        make_scratch_disk(&bundle, &configuration).map_err(io::Error::other)?;
        assert_eq!(fs::metadata(bundle.scratch_disk())?.ino(), made.ino());
        Ok(())
    }
}

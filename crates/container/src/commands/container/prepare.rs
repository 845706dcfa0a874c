//! What `run` and `create` have in common: image, kernel and configuration of a new container (behaviour.md 11.2).

use std::path::{Path, absolute};

use container_client::api::{ContainerCreateRequest, ContainerFilter};
use container_client::images::Fetch;
use container_client::{ApiClient, ImagesClient};
use container_config::SystemConfiguration;
use container_ipc::{Error, ErrorCode};
use container_resource::image::ImageVariant;
use container_resource::network::DEFAULT_NETWORK;
use container_resource::{AttachmentConfiguration, ContainerOptions, Kernel, KernelCommandLine, Platform};

use super::configuration::Options;
use super::mounts;
use crate::error::Failure;
use crate::flags::image_fetch::ImageFetchFlags;
use crate::flags::management::ManagementFlags;
use crate::flags::process::ProcessFlags;
use crate::flags::registry::RegistryFlags;
use crate::flags::resource::ResourceFlags;
use crate::flags::values::Pull;
use crate::parse::health::ImageHealthCheck;
use crate::parse::platform;
use crate::progress::Progress;
use crate::services::Services;
use crate::{fetch, log};

/// The options that say what a new container is.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) process: &'a ProcessFlags,
    pub(super) resource: &'a ResourceFlags,
    pub(super) management: &'a ManagementFlags,
    pub(super) registry: &'a RegistryFlags,
    pub(super) image_fetch: &'a ImageFetchFlags,
    /// The image as typed.
    pub(super) image: &'a str,
    /// The words after it.
    pub(super) arguments: Vec<String>,
}

/// Gets everything that a container needs; nothing is created yet.
pub(super) async fn prepare(
    services: &Services,
    api: &ApiClient,
    asked: Asked<'_>,
    progress: &Progress,
) -> Result<ContainerCreateRequest, Failure> {
    let system = services.configuration(api).await?;
    let mut options = Options::parse(asked.process, asked.resource, asked.management, &system)?;
    let platform = chosen_platform(asked.management)?;
    let how = fetch::how(&system, asked.registry, asked.image_fetch)?;
    refuse_taken(api, &options.id).await?;
    check_networks(api, &options.networks).await?;
    let images = services.images().await?;
    progress.step("Fetching image");
    let (image, variant) = match asked.management.pull {
        Pull::Never => {
            let image = images.get(asked.image, how.default_domain).await?;
            let variant = images.variant(&image, &platform).await?;
            (image, variant)
        }
        when => {
            if when == Pull::Always {
                images
                    .pull(asked.image, Some(&platform), &how, progress.sender())
                    .await?;
            }
            images
                .fetch(asked.image, &platform, &how, progress.sender())
                .await?
        }
    };
    progress.step("Unpacking image");
    images.unpack(&image, Some(&platform), progress.sender()).await?;
    progress.step("Fetching kernel");
    let machine = platform::of_machine(&platform);
    let kernel = kernel(api, asked.management, machine.clone()).await?;
    let init_image = init_image(&images, asked.management, &system, machine, &how, progress).await?;
    // Last, so that what fails before leaves no volume behind.
    let mounts = mounts::resolve(api, std::mem::take(&mut options.mounts)).await?;
    let health_check = health_check(&images, &variant).await?;
    let configuration = options.configure(
        image,
        &variant.config,
        health_check,
        platform,
        asked.arguments,
        mounts,
    )?;
    let options = ContainerOptions {
        auto_remove: asked.management.rm,
    };
    Ok(ContainerCreateRequest {
        configuration,
        kernel,
        options,
        init_image,
    })
}

/// What the image says about health checks, which the OCI's configuration has no place for.
async fn health_check(
    images: &ImagesClient,
    variant: &ImageVariant,
) -> Result<Option<ImageHealthCheck>, Failure> {
    let configuration = images.configuration(&variant.digest).await?;
    let check = configuration
        .pointer("/config/Healthcheck")
        .filter(|check| !check.is_null());
    let check = check
        .map(|check| serde_json::from_value(check.clone()))
        .transpose();
    check.map_err(|error| Failure::error(format!("the image's health check is malformed: {error}")))
}

async fn refuse_taken(api: &ApiClient, id: &str) -> Result<(), Error> {
    let filter = ContainerFilter {
        ids: vec![id.to_owned()],
        ..ContainerFilter::default()
    };
    if api.list(filter).await?.is_empty() {
        return Ok(());
    }
    Err(Error::exists(format!("container with id {id} already exists")))
}

/// Finds a network that is not there before anything is fetched. The built-in one is.
async fn check_networks(api: &ApiClient, wanted: &[AttachmentConfiguration]) -> Result<(), Error> {
    if wanted.iter().all(|wanted| wanted.network == DEFAULT_NETWORK) {
        return Ok(());
    }
    let known = api.networks().await?;
    let unknown = wanted
        .iter()
        .find(|wanted| known.iter().all(|network| network.id != wanted.network));
    match unknown {
        Some(unknown) => Err(Error::not_found(format!("network {} not found", unknown.network))),
        None => Ok(()),
    }
}

fn chosen_platform(flags: &ManagementFlags) -> Result<Platform, Error> {
    let variable = std::env::var(platform::VARIABLE).ok();
    let chosen = platform::for_container(
        flags.platform.as_deref(),
        &flags.os,
        flags.arch.as_deref(),
        variable.as_deref(),
    )?;
    if chosen.from_environment {
        let text = chosen.platform.to_string();
        log::info("using platform from environment variable", &[("platform", &text)]);
    }
    Ok(chosen.platform)
}

/// The kernel of a machine of that platform.
async fn kernel(api: &ApiClient, flags: &ManagementFlags, platform: Platform) -> Result<Kernel, Failure> {
    let mut kernel = match &flags.kernel {
        None => api.default_kernel(&platform).await.map_err(|error| match error.code {
            ErrorCode::NotFound => Error::not_found(format!(
                "default kernel not configured for architecture {}, please use the `container system kernel set` \
                 command to configure it",
                platform.architecture
            )),
            _ => error,
        })?,
        Some(path) => {
            let path = absolute(Path::new(path)).map_err(Error::from)?;
            if !path.is_file() {
                return Err(Failure::error(format!("kernel not found at {}", path.display())));
            }
            Kernel {
                path,
                platform,
                command_line: KernelCommandLine::default(),
            }
        }
    };
    kernel
        .command_line
        .kernel_args
        .extend(flags.kernel_arg.iter().cloned());
    Ok(kernel)
}

/// The stored reference of `--init-image`, fetched and unpacked; the configured one is the API server's business.
async fn init_image(
    images: &ImagesClient,
    flags: &ManagementFlags,
    system: &SystemConfiguration,
    platform: Platform,
    how: &Fetch<'_>,
    progress: &Progress,
) -> Result<Option<String>, Failure> {
    let Some(text) = flags
        .init_image
        .as_deref()
        .filter(|text| *text != system.vminit.image)
    else {
        return Ok(None);
    };
    progress.step("Fetching init image");
    let (image, _) = images.fetch(text, &platform, how, progress.sender()).await?;
    progress.step("Unpacking init image");
    images.unpack(&image, Some(&platform), progress.sender()).await?;
    Ok(Some(image.reference))
}

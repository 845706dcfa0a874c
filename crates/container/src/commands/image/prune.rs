//! `container image prune`: remove dangling images.

use std::collections::HashSet;

use clap::Args;
use container_client::api::ContainerFilter;
use container_ipc::ErrorCode;
use container_resource::size::file_size;
use container_resource::{ImageDescription, Reference};

use super::stored::{hex, visible};
use crate::error::{Failure, Outcome};
use crate::output;
use crate::services::Services;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container image prune`.
#[derive(Args, Debug, Clone)]
pub struct Prune {
    /// Every image no container uses.
    #[arg(short = 'a', long)]
    pub all: bool,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}

impl Prune {
    pub(super) async fn run(self) -> Outcome {
        let services = Services::from_environment()?;
        let api = services.api().await?;
        let system = services.configuration(&api).await?;
        let images = services.images().await?;
        // The list of images comes first: an image that is fetched for a new container meanwhile is not on it.
        let mut unused = visible(&images, &system).await?;
        if self.all {
            let containers = api.list(ContainerFilter::default()).await?;
            let used: HashSet<String> = containers
                .into_iter()
                .map(|container| container.configuration.image.reference)
                .collect();
            unused.retain(|image| !used.contains(&image.reference));
        } else {
            unused.retain(is_dangling);
        }
        let mut failures = Vec::new();
        for image in &unused {
            match images.delete(&image.reference, false).await {
                Ok(()) => output::print_line(&format!("untagged {}", image.reference)),
                // Somebody else was faster.
                Err(error) if error.code == ErrorCode::NotFound => {}
                Err(error) => failures.push(error),
            }
        }
        let removed = images.clean_up().await?;
        for digest in &removed.digests {
            output::print_line(&format!("deleted {}", hex(digest)));
        }
        output::print_error(&format!(
            "Reclaimed {} in disk space",
            file_size(removed.image_size)
        ));
        if failures.is_empty() {
            return Ok(0);
        }
        Err(Failure::collected(&failures))
    }
}

/// Whether an image has no tag.
fn is_dangling(image: &ImageDescription) -> bool {
    match image.reference.parse::<Reference>() {
        Ok(reference) => reference.tag().is_none(),
        // What is not understood is not removed.
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use container_resource::Descriptor;

    use super::*;

    #[test]
    fn images_without_a_tag_dangle() {
        let hex = "0".repeat(64);
        let descriptor: Descriptor = serde_json::from_str(&format!(
            r#"{{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"sha256:{hex}","size":1}}"#
        ))
        .expect("a descriptor");
        let dangles = |reference: &str| {
            is_dangling(&ImageDescription {
                reference: reference.to_owned(),
                descriptor: descriptor.clone(),
            })
        };
        assert!(dangles(&format!("untagged@sha256:{hex}")));
        assert!(dangles(&format!("docker.io/library/alpine@sha256:{hex}")));
        assert!(!dangles("docker.io/library/alpine:latest"));
        assert!(!dangles("Not A Reference"));
    }
}

//! The typed client of the image service.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use container_ipc::{Call, Client, Endpoint, Error, ErrorCode, ProgressEvent};
use container_resource::commit::Commit;
use container_resource::image::ImageVariant;
use container_resource::reference::Reference;
use container_resource::{Filesystem, ImageDescription, ImageResource, Platform};
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

use super::routes::*;
use super::scheme::Scheme;
use crate::services;

/// The annotation under which built and loaded images carry their own name.
const NAME_ANNOTATION: &str = "com.apple.containerization.image.name";

/// Where progress goes.
type Progress = Option<UnboundedSender<ProgressEvent>>;

/// A connection to the image service.
#[derive(Debug, Clone)]
pub struct ImagesClient {
    pub(super) client: Client,
}

/// How [`ImagesClient::fetch`] and [`ImagesClient::pull`] get an image.
#[derive(Debug, Clone)]
pub struct Fetch<'a> {
    /// `registry.domain` of the configuration.
    pub default_domain: &'a str,
    /// `dns.domain` of the configuration.
    pub dns_domain: Option<&'a str>,
    /// The protocol.
    pub scheme: Scheme,
    /// How many blobs are fetched at the same time.
    pub max_concurrent_downloads: i64,
}

impl ImagesClient {
    /// Connects to the service whose sockets are in `runtime_directory`.
    ///
    /// # Errors
    /// Nobody serves there: code `interrupted`, text beginning with `XPC connection error`.
    pub async fn connect(runtime_directory: &Path) -> Result<Self, Error> {
        let endpoint = Endpoint::new(runtime_directory, &services::images());
        Ok(Self {
            client: Client::connect(&endpoint).await?,
        })
    }

    /// Every stored image, ordered by reference.
    ///
    /// # Errors
    /// The service does not answer.
    pub async fn list(&self) -> Result<Vec<ImageDescription>, Error> {
        self.client.call::<ImageList>(()).await
    }

    /// The stored image that a user means with `text` (behaviour reference, 19.2).
    ///
    /// # Errors
    /// `notFound` with the text `image with reference <text>`; `invalidArgument` when `text` is no reference.
    pub async fn get(&self, text: &str, default_domain: &str) -> Result<ImageDescription, Error> {
        find(&self.list().await?, text, default_domain)
    }

    /// The image that a user means with `text`, for one platform: the stored one when its content is there, else pulled
    /// from its registry (behaviour reference, 19.3).
    ///
    /// # Errors
    /// `unsupported` with the text `platform <p>` when the image is not made for the platform; whatever keeps the
    /// registry from serving it.
    pub async fn fetch(
        &self,
        text: &str,
        platform: &Platform,
        how: &Fetch<'_>,
        progress: Progress,
    ) -> Result<(ImageDescription, ImageVariant), Error> {
        match self.get(text, how.default_domain).await {
            Ok(image) => match self.variant(&image, platform).await {
                Err(error) if error.code == ErrorCode::NotFound => {}
                variant => return Ok((image, variant?)),
            },
            Err(error) if error.code == ErrorCode::NotFound => {}
            Err(error) => return Err(error),
        }
        let image = self.pull(text, Some(platform), how, progress).await?;
        let variant = self.variant(&image, platform).await?;
        Ok((image, variant))
    }

    /// Pulls what a user means with `text`, for one platform or all of them.
    ///
    /// # Errors
    /// `text` is no reference; the registry cannot be reached, refuses, does not have it, or sends something else than
    /// it promised.
    pub async fn pull(
        &self,
        text: &str,
        platform: Option<&Platform>,
        how: &Fetch<'_>,
        progress: Progress,
    ) -> Result<ImageDescription, Error> {
        let reference = parse(text, how.default_domain)?;
        let request = ImagePullRequest {
            image_reference: reference.to_string(),
            oci_platform: platform.cloned(),
            insecure_flag: reference
                .host()
                .is_some_and(|host| how.scheme.is_http(host, how.dns_domain)),
            max_concurrent_downloads: how.max_concurrent_downloads,
        };
        self.call::<ImagePull>(request, progress).await
    }

    /// Uploads a stored image to the registry that its reference names: all that is stored of it, or one platform.
    ///
    /// # Errors
    /// `invalidArgument` with the text `could not extract host from reference <reference>` when that names none;
    /// nothing is stored of the image or for the platform; the registry cannot be reached or refuses.
    pub async fn push(
        &self,
        image: &ImageDescription,
        platform: Option<&Platform>,
        scheme: Scheme,
        dns_domain: Option<&str>,
        progress: Progress,
    ) -> Result<(), Error> {
        let reference = &image.reference;
        let host = reference
            .parse::<Reference>()
            .ok()
            .and_then(|reference| reference.host().map(str::to_owned))
            .ok_or_else(|| {
                Error::invalid_argument(format!("could not extract host from reference {reference}"))
            })?;
        let request = ImagePushRequest {
            image_reference: reference.clone(),
            oci_platform: platform.cloned(),
            insecure_flag: scheme.is_http(&host, dns_domain),
        };
        self.call::<ImagePush>(request, progress).await
    }

    /// Takes in the images of an OCI layout, an OCI archive or a Docker archive at an absolute path.
    ///
    /// # Errors
    /// The file is missing, damaged or of another kind; it has hostile members and `force` is not set.
    pub async fn load(&self, path: &Path, force: bool) -> Result<ImageLoadReply, Error> {
        let request = ImageLoadRequest {
            file_path: path.to_owned(),
            force_load: force,
        };
        self.client.call::<ImageLoad>(request).await
    }

    /// Makes an image of another one and of `layer`, a tar archive that is not compressed.
    ///
    /// # Errors
    /// The image below is not stored any more, or the disk is full.
    pub async fn commit(&self, request: Commit, layer: OwnedFd) -> Result<ImageDescription, Error> {
        let call = Call {
            fds: vec![layer],
            ..Call::default()
        };
        Ok(self.client.call_with::<ImageCommit>(request, call).await?.value)
    }

    /// Writes stored images as a tar archive of an OCI layout to `output`: all that is stored of them, or one platform.
    ///
    /// # Errors
    /// `notFound` with the text `image <reference> has no content …` when there is nothing to write; the output refuses.
    pub async fn save(
        &self,
        images: Vec<ImageDescription>,
        platform: Option<&Platform>,
        output: OwnedFd,
    ) -> Result<(), Error> {
        let request = ImageSaveRequest {
            image_descriptions: images,
            oci_platform: platform.cloned(),
        };
        let call = Call {
            fds: vec![output],
            ..Call::default()
        };
        self.client.call_with::<ImageSave>(request, call).await?;
        Ok(())
    }

    /// Makes the disks of a stored image for one platform, or for every Linux one that is stored.
    ///
    /// # Errors
    /// Content is missing or damaged, or the disk is full.
    pub async fn unpack(
        &self,
        image: &ImageDescription,
        platform: Option<&Platform>,
        progress: Progress,
    ) -> Result<(), Error> {
        let request = ImagePlatformsRequest {
            image_description: image.clone(),
            oci_platform: platform.cloned(),
        };
        self.call::<ImageUnpack>(request, progress).await
    }

    /// The disk of an unpacked image. Link or copy it before the image may be deleted.
    ///
    /// # Errors
    /// `notFound` when it has not been unpacked.
    pub async fn snapshot(&self, image: &ImageDescription, platform: &Platform) -> Result<Filesystem, Error> {
        self.client
            .call::<SnapshotGet>(with_platform(image, platform))
            .await
    }

    /// An image's variant for a platform: its manifest's digest and its configuration.
    ///
    /// # Errors
    /// `unsupported` when the image is not made for the platform, `notFound` when its content is not stored.
    pub async fn variant(
        &self,
        image: &ImageDescription,
        platform: &Platform,
    ) -> Result<ImageVariant, Error> {
        self.client
            .call::<ImageGetVariant>(with_platform(image, platform))
            .await
    }

    /// What users see of `images`. Names are the stored references; shorten them for display.
    ///
    /// # Errors
    /// An image has gone or its content is damaged.
    pub async fn inspect(&self, images: Vec<ImageDescription>) -> Result<Vec<ImageResource>, Error> {
        self.client.call::<ImageInspect>(images).await
    }

    /// Gives the stored `reference` a second name.
    ///
    /// # Errors
    /// `notFound` when there is no such image.
    pub async fn tag(&self, reference: &str, new_reference: &str) -> Result<ImageDescription, Error> {
        let request = ImageTagRequest {
            image_reference: reference.to_owned(),
            image_new_reference: new_reference.to_owned(),
        };
        self.client.call::<ImageTag>(request).await
    }

    /// Forgets the stored `reference`, and removes what only it led to when `garbage_collect` is set.
    ///
    /// # Errors
    /// `notFound` when there is no such image.
    pub async fn delete(&self, reference: &str, garbage_collect: bool) -> Result<(), Error> {
        let request = ImageDeleteRequest {
            image_reference: reference.to_owned(),
            garbage_collect,
        };
        self.client.call::<ImageDelete>(request).await
    }

    /// Removes everything that no reference leads to.
    ///
    /// # Errors
    /// The service does not answer, or the references are unreadable.
    pub async fn clean_up(&self) -> Result<ContentRemoved, Error> {
        self.client.call::<ImageCleanupOrphanedBlobs>(()).await
    }

    /// How much disk images take, and how much of it would come back if only the stored references in `active` stayed
    /// (behaviour reference, 23.3).
    ///
    /// # Errors
    /// The service does not answer.
    pub async fn disk_usage(&self, active: Vec<String>) -> Result<ImageDiskUsageReply, Error> {
        let request = ImageDiskUsageRequest {
            active_image_references: active,
        };
        self.client.call::<ImageDiskUsage>(request).await
    }

    /// Where the file of a blob is.
    ///
    /// # Errors
    /// `notFound` when it is not stored.
    pub async fn content(&self, digest: &str) -> Result<PathBuf, Error> {
        let request = ContentGetRequest {
            digest: digest.to_owned(),
        };
        Ok(self.client.call::<ContentGet>(request).await?.content_path)
    }

    /// The configuration of the image whose manifest has this digest, with whatever tools have added to it.
    ///
    /// # Errors
    /// It is not stored, or is no JSON.
    pub async fn configuration(&self, manifest: &str) -> Result<Value, Error> {
        let manifest: Value = document(&self.content(manifest).await?)?;
        let digest = manifest.pointer("/config/digest").and_then(Value::as_str);
        let digest = digest.ok_or_else(|| Error::internal("the image's manifest has no configuration"))?;
        document(&self.content(digest).await?)
    }

    /// Resolves when the service is gone.
    pub async fn closed(&self) {
        self.client.closed().await;
    }

    async fn call<R: container_ipc::Route>(
        &self,
        request: R::Request,
        progress: Progress,
    ) -> Result<R::Response, Error> {
        let call = Call {
            progress,
            ..Call::default()
        };
        Ok(self.client.call_with::<R>(request, call).await?.value)
    }
}

fn with_platform(image: &ImageDescription, platform: &Platform) -> ImagePlatformRequest {
    ImagePlatformRequest {
        image_description: image.clone(),
        oci_platform: platform.clone(),
    }
}

fn parse(text: &str, default_domain: &str) -> Result<Reference, Error> {
    Reference::parse_normalized(text, default_domain)
        .map_err(|error| Error::invalid_argument(error.to_string()))
}

/// The image of `images` that a user means with `text`: one that names itself so, else one stored under the text as it
/// is or under its normalised form (behaviour reference, 19.2).
///
/// # Errors
/// As [`ImagesClient::get`].
pub fn find(
    images: &[ImageDescription],
    text: &str,
    default_domain: &str,
) -> Result<ImageDescription, Error> {
    let stored = |reference: &str| images.iter().find(|image| image.reference == reference);
    let full = match parse(text, default_domain) {
        Ok(reference) => reference.to_string(),
        // What is not a reference can still be the name of an image that came without one.
        Err(error) => return stored(text).cloned().ok_or(error),
    };
    let tagged = text
        .parse::<Reference>()
        .map_or_else(|_| text.to_owned(), |r| with_tag(&r));
    let own_name = |image: &&ImageDescription| {
        let annotations = image.descriptor.annotations().as_ref();
        annotations.and_then(|annotations| annotations.get(NAME_ANNOTATION)) == Some(&tagged)
    };
    let named: Vec<&ImageDescription> = images.iter().filter(own_name).collect();
    let named = match named[..] {
        [one] => Some(one),
        _ => named.into_iter().find(|image| image.reference == tagged),
    };
    named
        .or_else(|| stored(text))
        .or_else(|| stored(&full))
        .cloned()
        .ok_or_else(|| Error::not_found(format!("image with reference {text}")))
}

/// The reference with a tag or digest, otherwise as it is.
fn with_tag(reference: &Reference) -> String {
    match (reference.tag(), reference.digest()) {
        (None, None) => format!("{reference}:latest"),
        _ => reference.to_string(),
    }
}

fn document(path: &Path) -> Result<Value, Error> {
    let bytes = std::fs::read(path)?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Error::internal(format!("{} is malformed: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use container_resource::Descriptor;

    use super::*;

    fn image(reference: &str, name: Option<&str>) -> ImageDescription {
        let digest = format!("sha256:{}", "0".repeat(64));
        let json = format!(
            r#"{{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"{digest}","size":1}}"#
        );
        let mut descriptor: Descriptor = serde_json::from_str(&json).unwrap();
        descriptor
            .set_annotations(name.map(|name| HashMap::from([(NAME_ANNOTATION.to_owned(), name.to_owned())])));
        ImageDescription {
            reference: reference.to_owned(),
            descriptor,
        }
    }

    fn found(images: &[ImageDescription], text: &str) -> String {
        find(images, text, "docker.io").map_or_else(|error| error.long_form(), |image| image.reference)
    }

    #[test]
    fn pulled_images_are_found_by_short_and_full_names() {
        let images = [
            image("docker.io/library/alpine:latest", None),
            image("ghcr.io/a/b:1", None),
        ];
        for text in [
            "alpine",
            "alpine:latest",
            "docker.io/alpine",
            "docker.io/library/alpine:latest",
        ] {
            assert_eq!(found(&images, text), "docker.io/library/alpine:latest", "{text}");
        }
        assert_eq!(found(&images, "ghcr.io/a/b:1"), "ghcr.io/a/b:1");
        assert_eq!(
            found(&images, "alpine:3"),
            "notFound: \"image with reference alpine:3\""
        );
        assert_eq!(
            found(&images, "A"),
            "invalidArgument: \"invalid format for image reference\""
        );
    }

    #[test]
    fn built_images_come_first() {
        let images = [
            image("docker.io/library/foo:latest", None),
            image("foo:latest", Some("foo:latest")),
        ];
        assert_eq!(found(&images, "foo"), "foo:latest");
        assert_eq!(found(&images, "docker.io/foo"), "docker.io/library/foo:latest");
        let twins = [
            image("x:1", Some("foo:latest")),
            image("foo:latest", Some("foo:latest")),
        ];
        assert_eq!(found(&twins, "foo"), "foo:latest");
    }

    #[test]
    fn images_without_a_name_are_found_as_they_are_stored() {
        let name = format!("untagged@sha256:{}", "0".repeat(64));
        assert_eq!(found(&[image(&name, None)], &name), name);
        assert_eq!(found(&[image("latest", None)], "latest"), "latest");
    }
}

//! Routes and payloads of the image service.

use std::path::PathBuf;
use std::time::Duration;

use container_ipc::Route;
use container_resource::commit::Commit;
use container_resource::image::ImageVariant;
use container_resource::{Filesystem, ImageDescription, ImageResource, Platform};
use serde::{Deserialize, Serialize};

use crate::api::routes;

const MINUTE: Option<Duration> = Some(Duration::from_secs(60));

routes! {
    /// Every stored image.
    ImageList = "imageList", MINUTE, () => Vec<ImageDescription>;
    /// Fetches an image from its registry; reports progress.
    ImagePull = "imagePull", None, ImagePullRequest => ImageDescription;
    /// Uploads an image to its registry; reports progress.
    ImagePush = "imagePush", None, ImagePushRequest => ();
    /// Gives a stored image a second name, which is taken away from what had it.
    ImageTag = "imageTag", MINUTE, ImageTagRequest => ImageDescription;
    /// Forgets a reference.
    ImageDelete = "imageDelete", None, ImageDeleteRequest => ();
    /// Takes in the images of an archive or layout.
    ImageLoad = "imageLoad", None, ImageLoadRequest => ImageLoadReply;
    /// Makes an image of another one and of the layer in the descriptor that comes with the request.
    ImageCommit = "imageCommit", None, Commit => ImageDescription;
    /// Writes images as a tar archive of an OCI layout into the descriptor that comes with the request.
    ImageSave = "imageSave", None, ImageSaveRequest => ();
    /// Makes the disks of an image; reports progress.
    ImageUnpack = "imageUnpack", None, ImagePlatformsRequest => ();
    /// What users see of images: one answer per request, in the same order.
    ImageInspect = "imageInspect", MINUTE, Vec<ImageDescription> => Vec<ImageResource>;
    /// An image's variant for a platform.
    ImageGetVariant = "imageVariant", MINUTE, ImagePlatformRequest => ImageVariant;
    /// Removes what no reference leads to.
    ImageCleanupOrphanedBlobs = "imageCleanupOrphanedBlobs", None, () => ContentRemoved;
    /// How much disk images take.
    ImageDiskUsage = "imageDiskUsage", MINUTE, ImageDiskUsageRequest => ImageDiskUsageReply;
    /// The disk of an unpacked image, to be mounted read-only at `/`.
    SnapshotGet = "snapshotGet", MINUTE, ImagePlatformRequest => Filesystem;
    /// Where the file of a blob is.
    ContentGet = "contentGet", MINUTE, ContentGetRequest => ContentGetReply;
}

/// What [`ImagePull`] takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImagePullRequest {
    /// The normalised reference.
    pub image_reference: String,
    /// Only this platform; absent means all.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub oci_platform: Option<Platform>,
    /// Whether the registry is spoken to over http.
    pub insecure_flag: bool,
    /// How many blobs are fetched at the same time; more than 0.
    pub max_concurrent_downloads: i64,
}

/// What [`ImagePush`] takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImagePushRequest {
    /// The stored reference.
    pub image_reference: String,
    /// Only this platform; absent means every one that is stored.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub oci_platform: Option<Platform>,
    /// Whether the registry is spoken to over http.
    pub insecure_flag: bool,
}

/// What [`ImageTag`] takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageTagRequest {
    /// The stored reference.
    pub image_reference: String,
    /// The reference to add.
    pub image_new_reference: String,
}

/// What [`ImageDelete`] takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageDeleteRequest {
    /// The stored reference.
    pub image_reference: String,
    /// Whether to remove at once what no reference leads to any more.
    pub garbage_collect: bool,
}

/// What [`ImageLoad`] takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageLoadRequest {
    /// The archive or the directory, as an absolute path.
    pub file_path: PathBuf,
    /// Whether members that could reach outside are skipped instead of failing the load.
    pub force_load: bool,
}

/// What [`ImageLoad`] answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageLoadReply {
    /// The images that are now stored.
    pub image_descriptions: Vec<ImageDescription>,
    /// Members that were skipped.
    #[serde(default)]
    pub rejected_members: Vec<String>,
}

/// What [`ImageSave`] takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageSaveRequest {
    /// The stored images.
    pub image_descriptions: Vec<ImageDescription>,
    /// Only this platform; absent means every one that is stored.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub oci_platform: Option<Platform>,
}

/// An image and, if need be, one of its platforms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImagePlatformsRequest {
    /// The stored image.
    pub image_description: ImageDescription,
    /// Only this platform; absent means every Linux one that is stored.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub oci_platform: Option<Platform>,
}

/// An image and one of its platforms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImagePlatformRequest {
    /// The stored image.
    pub image_description: ImageDescription,
    /// The platform.
    pub oci_platform: Platform,
}

/// What was removed from the content store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContentRemoved {
    /// Digests of the blobs.
    pub digests: Vec<String>,
    /// Bytes of disk that came back.
    pub image_size: u64,
}

/// What [`ImageDiskUsage`] takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageDiskUsageRequest {
    /// The stored references that are in use.
    pub active_image_references: Vec<String>,
}

/// What [`ImageDiskUsage`] answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageDiskUsageReply {
    /// References.
    pub total_count: u64,
    /// References that are in use.
    pub active_count: u64,
    /// Allocated bytes of contents and disks, orphans included.
    pub image_size: u64,
    /// Those of them that come back when all other references are deleted. A disk that a container has linked does not.
    pub reclaimable_size: u64,
}

/// What [`ContentGet`] takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentGetRequest {
    /// The blob's digest.
    pub digest: String,
}

/// What [`ContentGet`] answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContentGetReply {
    /// The blob's file, which is not to be written to.
    pub content_path: PathBuf,
}

//! Fetching manifests and indexes.

use oci_spec::image::{Descriptor, Digest, MediaType};
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;

use super::connection::{Ask, Connection};
use super::error::RegistryError;
use crate::content::MAX_DOCUMENT;
use crate::digest;
use crate::error::{Error, Result};
use crate::graph::{self, Kind};

/// What images may begin with.
const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json";

/// A manifest or index as the registry has it.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) descriptor: Descriptor,
    pub(super) bytes: Vec<u8>,
}

impl Connection {
    /// Fetches the manifest that `target`, a tag or a digest, names; `name` is what it is called in errors.
    pub(super) async fn manifest(&self, target: &str, name: &str) -> Result<Manifest> {
        let path = format!("manifests/{target}");
        let response = self
            .get(Ask {
                path: &path,
                name,
                accept: ACCEPT,
                offset: 0,
            })
            .await?;
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        let content_type = header(CONTENT_TYPE.as_str());
        // Some registries leave this out; some proxies in front of them as well.
        let promised = header("Docker-Content-Digest").and_then(|text| text.parse::<Digest>().ok());
        let bytes = self.body(response).await?;
        let actual = digest::of(&bytes);
        let named = target.parse::<Digest>().ok();
        for expected in named
            .into_iter()
            .chain(promised.filter(|promised| digest::hex(promised).is_ok()))
        {
            if expected != actual {
                return Err(Error::DigestMismatch { expected, actual });
            }
        }
        let media_type =
            media_type(&bytes, content_type.as_deref()).ok_or_else(|| RegistryError::Malformed {
                host: self.host.clone(),
                reason: format!("neither an image index nor an image manifest for {name}"),
            })?;
        let descriptor = Descriptor::new(media_type, bytes.len() as u64, actual);
        Ok(Manifest { descriptor, bytes })
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, RegistryError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failed(&error))? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() as u64 > MAX_DOCUMENT {
                let reason = format!("a manifest of more than {MAX_DOCUMENT} bytes");
                return Err(RegistryError::Malformed {
                    host: self.host.clone(),
                    reason,
                });
            }
        }
        Ok(bytes)
    }
}

/// What a manifest is: what it says itself, else what the registry says, else what it looks like.
fn media_type(bytes: &[u8], content_type: Option<&str>) -> Option<MediaType> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Outline {
        media_type: Option<String>,
        manifests: Option<serde_json::Value>,
        layers: Option<serde_json::Value>,
    }
    let outline: Outline = serde_json::from_slice(bytes).ok()?;
    let content_type = content_type
        .and_then(|text| text.split(';').next())
        .map(str::trim);
    let stated = [outline.media_type.as_deref(), content_type];
    let stated = stated.into_iter().flatten().map(MediaType::from);
    stated
        .into_iter()
        .find(|media_type| graph::kind(media_type) != Kind::Other)
        .or(match (outline.manifests, outline.layers) {
            (Some(_), None) => Some(MediaType::ImageIndex),
            (None, Some(_)) => Some(MediaType::ImageManifest),
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types() {
        let oci = "application/vnd.oci.image.manifest.v1+json";
        let docker = "application/vnd.docker.distribution.manifest.v2+json";
        let text =
            |bytes: &str, header: Option<&str>| media_type(bytes.as_bytes(), header).map(|t| t.to_string());
        let stated = format!(r#"{{"mediaType":"{docker}","layers":[]}}"#);
        assert_eq!(text(&stated, Some(oci)).as_deref(), Some(docker));
        let header = format!("{docker}; charset=utf-8");
        assert_eq!(text(r#"{"layers":[]}"#, Some(&header)).as_deref(), Some(docker));
        assert_eq!(text(r#"{"layers":[]}"#, Some("text/plain")).as_deref(), Some(oci));
        assert_eq!(
            text(r#"{"manifests":[]}"#, None).as_deref(),
            Some("application/vnd.oci.image.index.v1+json")
        );
        assert_eq!(text("{}", None), None);
        assert_eq!(text("<html>", Some(oci)), None);
    }
}

//! How images are fetched, from options and configuration.

use container_client::images::{Fetch, Scheme};
use container_config::SystemConfiguration;
use container_ipc::Error;

use crate::flags::image_fetch::ImageFetchFlags;
use crate::flags::registry::RegistryFlags;

/// The protocol and the number of downloads that the options ask for.
///
/// # Errors
/// The scheme is unknown, or the number is not positive.
pub fn how<'a>(
    system: &'a SystemConfiguration,
    registry: &RegistryFlags,
    downloads: &ImageFetchFlags,
) -> Result<Fetch<'a>, Error> {
    let scheme: Scheme =
        registry
            .scheme
            .parse()
            .map_err(|error: container_client::images::UnsupportedScheme| {
                Error::invalid_argument(error.to_string())
            })?;
    let max_concurrent_downloads = downloads.max_concurrent_downloads;
    if max_concurrent_downloads < 1 {
        return Err(Error::invalid_argument(format!(
            "maximum number of concurrent downloads must be greater than 0, got {max_concurrent_downloads}"
        )));
    }
    Ok(Fetch {
        default_domain: &system.registry.domain,
        dns_domain: system.dns.domain.as_deref(),
        scheme,
        max_concurrent_downloads,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn how_of(scheme: &str, max_concurrent_downloads: i64) -> Result<i64, String> {
        let registry = RegistryFlags {
            scheme: scheme.to_owned(),
        };
        let system = SystemConfiguration::default();
        how(
            &system,
            &registry,
            &ImageFetchFlags {
                max_concurrent_downloads,
            },
        )
        .map(|how| how.max_concurrent_downloads)
        .map_err(|error| error.to_string())
    }

    #[test]
    fn values_are_checked_when_they_are_used() {
        assert_eq!(how_of("http", 3), Ok(3));
        assert_eq!(how_of("ftp", 3), Err("unsupported scheme ftp".to_owned()));
        assert!(how_of("auto", 0).is_err());
    }
}

//! The mirrors that `[registry]` of the configuration names.

use std::collections::HashMap;

use container_client::images::Scheme;
use container_config::SystemConfiguration;
use container_image_store::Mirror;
use container_resource::reference::registry_host;

/// The configured mirrors by the host that they have copies of. One without a scheme is spoken to as any registry is.
/// What is not written as `[http://|https://]host[:port][/path]` is logged and left out: images can be had without it.
pub fn mirrors(configuration: &SystemConfiguration) -> HashMap<String, Vec<Mirror>> {
    let dns_domain = configuration.dns.domain.as_deref();
    let is_http = |host: &str| Scheme::Auto.is_http(host, dns_domain);
    let read = |text: &String| {
        Mirror::parse(text, is_http)
            .inspect_err(|error| tracing::error!("a mirror in the configuration: {error}"))
            .ok()
    };
    let configured = configuration.registry.mirrors.iter();
    configured
        .map(|(domain, texts)| {
            let mirrors = texts.iter().filter_map(read).collect();
            (registry_host(domain).to_owned(), mirrors)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_have_copies_of_a_host() {
        let mut configuration = SystemConfiguration::default();
        let texts = ["10.0.0.1:5000", "ftp://x", "mirror.example/hub"].map(str::to_owned);
        let configured = &mut configuration.registry.mirrors;
        configured.insert("docker.io".to_owned(), texts.to_vec());
        let found = mirrors(&configuration);
        let mirror = |host: &str, prefix: &str, insecure| Mirror {
            host: host.to_owned(),
            prefix: prefix.to_owned(),
            insecure,
        };
        assert_eq!(
            found["registry-1.docker.io"],
            [
                mirror("10.0.0.1:5000", "", true),
                mirror("mirror.example", "hub", false)
            ]
        );
    }
}

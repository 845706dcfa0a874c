//! The names under which services are reached, and the labels of their jobs.
//!
//! The scheme is Apple's (behaviour reference, 24.4 and 27.2) under a prefix of our own, so that both can be
//! installed side by side.

/// What every service name and job label begins with.
pub const PREFIX: &str = "dev.container";

/// The API server's program.
pub const API_SERVER_PROGRAM: &str = "container-apiserver";
/// The image service's program.
pub const IMAGES_PROGRAM: &str = "container-core-images";
/// The program that serves a network unless another one was asked for.
pub const NETWORK_PROGRAM: &str = if cfg!(target_os = "macos") {
    "container-network-vmnet"
} else {
    "container-network-bridge"
};

/// The API server's service.
pub fn api_server() -> String {
    format!("{PREFIX}.apiserver")
}

/// The image service.
pub fn images() -> String {
    format!("{PREFIX}.core.{IMAGES_PROGRAM}")
}

/// The runtime helper `handler` of the container `id`.
pub fn runtime(handler: &str, id: &str) -> String {
    format!("{PREFIX}.runtime.{handler}.{id}")
}

/// The helper `plugin` of the network `id`.
pub fn network(plugin: &str, id: &str) -> String {
    format!("{PREFIX}.network.{plugin}.{id}")
}

/// The process that keeps the namespace of the network `id` while its helper is started again (Linux).
pub fn network_holder(id: &str) -> String {
    format!("{PREFIX}.network-holder.{id}")
}

/// The job label of the API server.
pub fn api_server_label() -> String {
    format!("{PREFIX}.apiserver")
}

/// The job label of a helper `program`, of `instance` where there is one per container or network.
pub fn helper_label(program: &str, instance: Option<&str>) -> String {
    match instance {
        Some(instance) => format!("{PREFIX}.{program}.{instance}"),
        None => format!("{PREFIX}.{program}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_scheme() {
        assert_eq!(
            runtime("container-runtime-linux", "web"),
            "dev.container.runtime.container-runtime-linux.web"
        );
        assert_eq!(
            network("container-network-vmnet", "default"),
            "dev.container.network.container-network-vmnet.default"
        );
        assert_eq!(images(), "dev.container.core.container-core-images");
        assert_eq!(
            helper_label(IMAGES_PROGRAM, None),
            "dev.container.container-core-images"
        );
        assert_eq!(helper_label("r", Some("web")), "dev.container.r.web");
    }
}

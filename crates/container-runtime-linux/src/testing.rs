//! What several test modules need.

use std::collections::BTreeMap;

use container_resource::{
    ContainerConfiguration, ImageDescription, Platform, ProcessConfiguration, Resources, User, time,
};
use oci_spec::image::{Descriptor, MediaType, Sha256Digest};

/// A container of a made-up image that runs `sh -c true`.
pub(crate) fn configuration(id: &str) -> ContainerConfiguration {
    let digest: Sha256Digest = "0".repeat(64).parse().expect("a digest");
    ContainerConfiguration {
        id: id.to_owned(),
        creation_date: time::now(),
        runtime_handler: container_resource::container::LINUX_RUNTIME.to_owned(),
        image: ImageDescription {
            reference: "test:latest".to_owned(),
            descriptor: Descriptor::new(MediaType::ImageIndex, 2, digest),
        },
        platform: Platform::linux_host(),
        resources: Resources::default(),
        init_process: ProcessConfiguration {
            executable: "sh".to_owned(),
            arguments: vec!["-c".to_owned(), "true".to_owned()],
            environment: Vec::new(),
            working_directory: "/".to_owned(),
            terminal: false,
            user: User::default(),
            supplemental_groups: Vec::new(),
            supplemental_group_names: Vec::new(),
            rlimits: Vec::new(),
        },
        mounts: Vec::new(),
        published_ports: Vec::new(),
        published_sockets: Vec::new(),
        networks: Vec::new(),
        dns: None,
        labels: BTreeMap::new(),
        sysctls: BTreeMap::new(),
        cap_add: Vec::new(),
        cap_drop: Vec::new(),
        rosetta: false,
        virtualization: false,
        ssh: false,
        read_only: false,
        use_init: false,
        shm_size: None,
        stop_signal: None,
        masked_paths: None,
        readonly_paths: None,
        journal: None,
        hostname: None,
        extra_hosts: Vec::new(),
        stop_timeout: None,
        restart_policy: None,
        health_check: None,
        open_stdin: false,
    }
}

//! From options and image to what the API server stores (behaviour.md 9, 11.2).

use std::collections::BTreeMap;
use std::path::Path;

use container_config::SystemConfiguration;
use container_ipc::Error;
use container_resource::image::ImageConfiguration;
use container_resource::network::{AttachmentOptions, DEFAULT_NETWORK};
use container_resource::{
    AttachmentConfiguration, ContainerConfiguration, DnsConfiguration, ExtraHost, Filesystem,
    ImageDescription, Journal, Platform, ProcessConfiguration, PublishPort, PublishSocket, Resources,
    RestartPolicy, Rlimit, name, paths, time,
};
use oci_spec::image::Config;

use super::{mounts, rosetta};
use crate::error::Failure;
use crate::flags::management::ManagementFlags;
use crate::flags::process::ProcessFlags;
use crate::flags::resource::ResourceFlags;
use crate::parse::env::Environment;
use crate::parse::mount::Mount;
use crate::parse::{
    capability, cpus, dns, health, host, journal, label, memory, network, path_list, publish, publish_socket,
    sysctl, ulimit, user,
};

/// The MTU of interfaces, in bytes.
const DEFAULT_MTU: u32 = 1280;

/// Everything about a new container that does not depend on its image. Parsed before anything is fetched, so that a
/// typing error costs no download.
#[derive(Debug)]
pub(super) struct Options {
    /// The container's id.
    pub(super) id: String,
    runtime: String,
    process: Process,
    resources: Resources,
    labels: BTreeMap<String, String>,
    /// What is to be mounted, volumes by name.
    pub(super) mounts: Vec<Mount>,
    published_ports: Vec<PublishPort>,
    published_sockets: Vec<PublishSocket>,
    /// The networks it is to be on.
    pub(super) networks: Vec<AttachmentConfiguration>,
    dns: Option<DnsConfiguration>,
    cap_add: Vec<String>,
    cap_drop: Vec<String>,
    masked_paths: Vec<String>,
    readonly_paths: Vec<String>,
    journal: Option<Journal>,
    hostname: Option<String>,
    extra_hosts: Vec<ExtraHost>,
    sysctls: BTreeMap<String, String>,
    stop_signal: Option<String>,
    stop_timeout: Option<u32>,
    restart_policy: Option<RestartPolicy>,
    health: health::Options,
    open_stdin: bool,
    shm_size: Option<u64>,
    rosetta: bool,
    virtualization: bool,
    ssh: bool,
    read_only: bool,
    use_init: bool,
}

/// What the options say about the init process.
#[derive(Debug)]
struct Process {
    entrypoint: Option<String>,
    environment: Environment,
    workdir: Option<String>,
    user: Option<String>,
    uid: Option<u32>,
    gid: Option<u32>,
    groups: Vec<String>,
    rlimits: Vec<Rlimit>,
    terminal: bool,
}

impl Options {
    /// Checks and parses the options.
    pub(super) fn parse(
        process: &ProcessFlags,
        resource: &ResourceFlags,
        management: &ManagementFlags,
        system: &SystemConfiguration,
    ) -> Result<Self, Failure> {
        rosetta::Host::this().check(management.rosetta)?;
        let id = management.name.clone().unwrap_or_else(name::random_id);
        if !name::is_container_id(&id) {
            return Err(Failure::error(format!(
                "container ID {id} is not a valid container ID"
            )));
        }
        let domain = system.dns.domain.as_deref();
        let mut environment = Environment::default();
        add_environment(&mut environment, process)?;
        let (privileges, masked, readonly): (_, &[&str], &[&str]) = if management.privileged {
            (vec!["ALL".to_owned()], &[], &[])
        } else {
            (Vec::new(), &paths::MASKED, &paths::READONLY)
        };
        Ok(Self {
            runtime: management.runtime.clone(),
            process: Process {
                entrypoint: management
                    .entrypoint
                    .clone()
                    .filter(|entrypoint| !entrypoint.is_empty()),
                environment,
                workdir: process.workdir.clone(),
                user: process.user.clone(),
                uid: process.uid,
                gid: process.gid,
                groups: management.group_add.clone(),
                rlimits: ulimit::parse_all(&process.ulimit)?,
                terminal: process.tty,
            },
            resources: resources(resource, management, system)?,
            labels: label::parse(&management.label)?,
            mounts: mounts::parse(management)?,
            published_ports: publish::parse_all(&management.publish)?,
            published_sockets: published_sockets(&management.publish_socket)?,
            networks: networks(&management.network, &id, domain)?,
            dns: dns::parse(&management.dns, management.no_dns, domain).map_err(Failure::Usage)?,
            cap_add: capability::parse(&[privileges, management.cap_add.clone()].concat())?,
            cap_drop: capability::parse(&management.cap_drop)?,
            masked_paths: path_list::parse(masked, &management.masked_path, "--masked-path")?,
            readonly_paths: path_list::parse(readonly, &management.read_only_path, "--read-only-path")?,
            journal: management.journal.as_deref().map(journal::parse).transpose()?,
            hostname: management.hostname.as_deref().map(host::name).transpose()?,
            extra_hosts: management
                .add_host
                .iter()
                .map(|text| host::extra(text))
                .collect::<Result<_, _>>()?,
            sysctls: sysctl::parse(&management.sysctl)?,
            stop_signal: management.stop_signal.clone(),
            stop_timeout: management.stop_timeout,
            restart_policy: restart(management.restart.as_deref())?,
            health: health::Options::parse(&management.health)?,
            open_stdin: process.interactive,
            shm_size: management.shm_size.as_deref().map(memory::bytes).transpose()?,
            rosetta: management.rosetta,
            virtualization: management.virtualization,
            ssh: management.ssh,
            read_only: management.read_only,
            use_init: management.init,
            id,
        })
    }

    /// The configuration of a container of this image; `health_check` is its own. `arguments` are the words after the
    /// image, `mounts` is what the options' own came to.
    pub(super) fn configure(
        self,
        image: ImageDescription,
        image_configuration: &ImageConfiguration,
        health_check: Option<health::ImageHealthCheck>,
        platform: Platform,
        arguments: Vec<String>,
        mounts: Vec<Filesystem>,
    ) -> Result<ContainerConfiguration, Failure> {
        let config = image_configuration.config().clone().unwrap_or_default();
        let health_check = self.health.on_top_of(health_check)?;
        let rosetta = rosetta::Host::this().wants(self.rosetta, &platform);
        Ok(ContainerConfiguration {
            id: self.id,
            creation_date: time::now(),
            runtime_handler: self.runtime,
            image,
            platform,
            resources: self.resources,
            init_process: self.process.configure(&config, arguments)?,
            mounts,
            published_ports: self.published_ports,
            published_sockets: self.published_sockets,
            networks: self.networks,
            dns: self.dns,
            labels: self.labels,
            sysctls: self.sysctls,
            cap_add: self.cap_add,
            cap_drop: self.cap_drop,
            rosetta,
            virtualization: self.virtualization,
            ssh: self.ssh,
            read_only: self.read_only,
            use_init: self.use_init,
            shm_size: self.shm_size,
            stop_signal: self.stop_signal.or_else(|| config.stop_signal().clone()),
            masked_paths: Some(self.masked_paths),
            readonly_paths: Some(self.readonly_paths),
            journal: self.journal,
            hostname: self.hostname,
            extra_hosts: self.extra_hosts,
            stop_timeout: self.stop_timeout,
            restart_policy: self.restart_policy,
            health_check,
            open_stdin: self.open_stdin,
        })
    }
}

impl Process {
    /// The options in front of what the image says (behaviour.md 9.14).
    fn configure(self, config: &Config, arguments: Vec<String>) -> Result<ProcessConfiguration, Failure> {
        let overridden = self.entrypoint.is_some();
        let mut words = match self.entrypoint {
            Some(word) => vec![word],
            None => config.entrypoint().clone().unwrap_or_default(),
        };
        if !arguments.is_empty() {
            words.extend(arguments);
        } else if !overridden {
            words.extend(config.cmd().clone().unwrap_or_default());
        }
        let mut words = words.into_iter();
        let Some(executable) = words.next() else {
            return Err(Failure::error(
                "command/entrypoint not specified for container process",
            ));
        };
        let default_user = user::of_image(config.user().as_deref());
        let (user, mut supplemental_groups) =
            user::parse(self.user.as_deref(), self.uid, self.gid, default_user);
        let (numbers, supplemental_group_names) = user::groups(self.groups)?;
        supplemental_groups.extend(numbers);
        let directory = self
            .workdir
            .or_else(|| config.working_dir().clone())
            .filter(|path| !path.is_empty());
        Ok(ProcessConfiguration {
            executable,
            arguments: words.collect(),
            environment: self
                .environment
                .on_top_of(config.env().as_deref().unwrap_or_default()),
            working_directory: directory.unwrap_or_else(|| "/".to_owned()),
            terminal: self.terminal,
            user,
            supplemental_groups,
            supplemental_group_names,
            rlimits: self.rlimits,
        })
    }
}

/// What `--env-file` and `--env` add to `environment`, in this order.
pub(super) fn add_environment(environment: &mut Environment, flags: &ProcessFlags) -> Result<(), Error> {
    let lookup = |key: &str| std::env::var(key).ok();
    for path in &flags.env_file {
        let bytes = std::fs::read(Path::new(path))
            .map_err(|_| Error::invalid_argument(format!("failed to read envfile at {path}")))?;
        environment.add_file(path, &bytes, lookup)?;
    }
    for option in &flags.env {
        environment.add_option(option, lookup);
    }
    Ok(())
}

fn resources(
    flags: &ResourceFlags,
    management: &ManagementFlags,
    system: &SystemConfiguration,
) -> Result<Resources, Failure> {
    let (cpus, cpu_quota) = match flags.cpus {
        None => (system.container.cpus, None),
        Some(cpus) => cpus::parse(cpus)?,
    };
    let memory_in_bytes = match &flags.memory {
        None => system.container.memory.bytes_in_whole_mib(),
        Some(text) => memory::memory(text)?,
    };
    Ok(Resources {
        cpus,
        memory_in_bytes,
        cpu_quota,
        pids_limit: pids_limit(management.pids_limit)?,
        ..Resources::default()
    })
}

/// The policy of `--restart`.
pub(super) fn restart(text: Option<&str>) -> Result<Option<RestartPolicy>, Error> {
    let Some(text) = text else { return Ok(None) };
    RestartPolicy::parse(text).map_err(|error| Error::invalid_argument(error.to_string()))
}

/// The limit of `--pids-limit`; a negative one is none.
fn pids_limit(limit: Option<i64>) -> Result<Option<u32>, Failure> {
    let Some(limit) = limit.filter(|limit| *limit >= 0) else {
        return Ok(None);
    };
    let valid = u32::try_from(limit).ok().filter(|limit| *limit > 0);
    let error = || Failure::error(format!("invalid limit of processes '{limit}'"));
    valid.ok_or_else(error).map(Some)
}

/// The sockets of `--publish-socket`, none of which is in use now.
fn published_sockets(texts: &[String]) -> Result<Vec<PublishSocket>, Failure> {
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let directory = std::env::current_dir()
        .map_err(|error| Failure::error(format!("failed to find the current directory: {error}")))?;
    texts
        .iter()
        .map(|text| {
            let socket = publish_socket::parse(text, &directory)?;
            publish_socket::check_host(Path::new(&socket.host_path))?;
            Ok(socket)
        })
        .collect()
}

fn networks(texts: &[String], id: &str, domain: Option<&str>) -> Result<Vec<AttachmentConfiguration>, Error> {
    let default = network::NetworkRequest {
        name: DEFAULT_NETWORK.to_owned(),
        mac: None,
        mtu: None,
        ip: None,
        aliases: Vec::new(),
    };
    let requests = network::parse_all(texts)?.unwrap_or_else(|| vec![default]);
    let mut names: Vec<&str> = requests.iter().map(|request| request.name.as_str()).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        let text = format!("network {} is given more than once", twice[0]);
        return Err(Error::invalid_argument(text));
    }
    let attachments = requests
        .into_iter()
        .enumerate()
        .map(|(index, request)| AttachmentConfiguration {
            network: request.name,
            options: AttachmentOptions {
                hostname: if index == 0 {
                    hostname(id, domain)
                } else {
                    id.to_owned()
                },
                mac_address: request.mac,
                mtu: Some(request.mtu.unwrap_or(DEFAULT_MTU)),
                ipv4_address: request.ip,
                aliases: request.aliases,
            },
        });
    Ok(attachments.collect())
}

/// The name on the first network: a full name, with its dot at the end, where there is a domain (behaviour.md 15.3).
fn hostname(id: &str, domain: Option<&str>) -> String {
    match domain {
        _ if id.contains('.') => format!("{id}."),
        Some(domain) => format!("{id}.{domain}."),
        None => id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};
    use crate::commands::container::ContainerCommand;

    const IMAGE: &str = r#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]},"config":{
        "Env":["PATH=/bin","LANG=C"],"Entrypoint":["/entry"],"Cmd":["serve"],"WorkingDir":"/srv","User":"app",
        "StopSignal":"SIGQUIT"}}"#;
    const EMPTY_IMAGE: &str =
        r#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;

    fn configured(line: &str, image: &str) -> Result<ContainerConfiguration, String> {
        let words = ["container", "run"].into_iter().chain(line.split(' '));
        let Some(Command::Container(ContainerCommand::Run(run))) =
            Cli::try_parse_from(words).expect("parsed").command
        else {
            panic!("not run");
        };
        let mut system = SystemConfiguration::default();
        system.dns.domain = Some("test".to_owned());
        let describe = |failure| match failure {
            Failure::Error(text) => text,
            other => format!("{other:?}"),
        };
        let mut options =
            Options::parse(&run.process, &run.resource, &run.management, &system).map_err(describe)?;
        let image: ImageConfiguration = serde_json::from_str(image).expect("an image configuration");
        let digest = format!("sha256:{}", "0".repeat(64));
        let description = serde_json::json!({
            "reference": "docker.io/library/x:latest",
            "descriptor": {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": digest, "size": 1},
        });
        let description = serde_json::from_value(description).expect("a description");
        let (_, arguments) = run.target.split();
        let ready = |mount| match mount {
            Mount::Tmpfs(mount) => Some(mount),
            Mount::Volume(_) => None,
        };
        let mounts = std::mem::take(&mut options.mounts);
        let mounts = mounts.into_iter().filter_map(ready).collect();
        options
            .configure(
                description,
                &image,
                None,
                Platform::linux_host(),
                arguments,
                mounts,
            )
            .map_err(describe)
    }

    fn command(line: &str, image: &str) -> Result<String, String> {
        let process = configured(line, image)?.init_process;
        Ok([vec![process.executable], process.arguments].concat().join(" "))
    }

    #[test]
    fn the_command_comes_from_entrypoint_arguments_and_image() {
        assert_eq!(command("x", IMAGE), Ok("/entry serve".to_owned()));
        assert_eq!(command("x a b", IMAGE), Ok("/entry a b".to_owned()));
        assert_eq!(command("--entrypoint sh x", IMAGE), Ok("sh".to_owned()));
        assert_eq!(command("--entrypoint sh x -c y", IMAGE), Ok("sh -c y".to_owned()));
        assert_eq!(command("--entrypoint= x", IMAGE), Ok("/entry serve".to_owned()));
        let nothing = "command/entrypoint not specified for container process";
        assert_eq!(command("x", EMPTY_IMAGE), Err(nothing.to_owned()));
    }

    #[test]
    fn the_image_gives_the_defaults() {
        let configuration = configured("x", IMAGE).expect("configured");
        let process = &configuration.init_process;
        assert_eq!(process.environment, ["PATH=/bin", "LANG=C"]);
        assert_eq!(process.working_directory, "/srv");
        assert_eq!(
            process.user,
            container_resource::User::Raw {
                user_string: "app".to_owned()
            }
        );
        assert_eq!(configuration.stop_signal.as_deref(), Some("SIGQUIT"));
        assert_eq!(
            (
                configuration.resources.cpus,
                configuration.resources.memory_in_bytes
            ),
            (SystemConfiguration::default().container.cpus, 1 << 30)
        );
        assert_eq!(configuration.masked_paths.as_ref().map(Vec::len), Some(11));
        assert_eq!(
            configuration.dns.and_then(|dns| dns.domain).as_deref(),
            Some("test")
        );
        let bare = configured("x y", EMPTY_IMAGE).expect("configured").init_process;
        assert_eq!(
            (bare.working_directory.as_str(), bare.user),
            ("/", container_resource::User::default())
        );
    }

    #[test]
    fn options_override_the_image() {
        let line = "--name web -e LANG=de -e A=1 -w /tmp --uid 1 --gid 2 -c 2 -m 300m --shm-size 1m --tmpfs /run \
                    --tmpfs /run --read-only --init --ulimit nofile=1 --cap-add net_admin --masked-path NONE -t x";
        let configuration = configured(line, IMAGE).expect("configured");
        let process = &configuration.init_process;
        assert_eq!(process.environment, ["PATH=/bin", "LANG=de", "A=1"]);
        assert_eq!(process.user, container_resource::User::Id { uid: 1, gid: 2 });
        assert!(process.terminal && configuration.read_only && configuration.use_init);
        assert_eq!(
            (
                configuration.resources.cpus,
                configuration.resources.memory_in_bytes
            ),
            (2, 300 << 20)
        );
        assert_eq!(configuration.shm_size, Some(1 << 20));
        assert_eq!(configuration.mounts.len(), 1);
        assert_eq!(configuration.cap_add, ["CAP_NET_ADMIN"]);
        assert_eq!(configuration.masked_paths, Some(vec![]));
        assert_eq!(configuration.networks[0].options.hostname, "web.test.");
    }

    #[test]
    fn networks_can_be_left_out() {
        assert_eq!(
            configured("--network none x", IMAGE).map(|c| c.networks.len()),
            Ok(0)
        );
        let networks = configured("--name a.b --network default,mtu=1500 x", IMAGE)
            .expect("configured")
            .networks;
        assert_eq!(
            (networks[0].options.hostname.as_str(), networks[0].options.mtu),
            ("a.b.", Some(1500))
        );
    }

    #[test]
    fn mistakes_are_found_before_anything_is_fetched() {
        let cases = [
            ("--name - x", "container ID - is not a valid container ID"),
            (
                "-c 0 x",
                "invalid CPU count '0'. Must be a positive integer (e.g., 4).",
            ),
            ("-m lots x", "invalid size"),
            ("-p 80 x", "invalid publish value: 80"),
            (
                "--journal none x",
                "invalid journal mode 'none': must be writeback, ordered, or journal",
            ),
            ("-v data:x x", "mount destination 'x' must be an absolute path"),
            (
                "--network other --network other,mtu=1500 x",
                "network other is given more than once",
            ),
        ];
        for (line, want) in cases {
            assert_eq!(
                configured(line, IMAGE).map(|c| c.id),
                Err(want.to_owned()),
                "{line}"
            );
        }
        assert!(configured("--no-dns --dns 1.1.1.1 x", IMAGE).is_err_and(|text| text.starts_with("Usage(")));
    }
}

//! Networks: their subnets and helpers, and what keeps them from being deleted.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::time::{Duration, Instant};

use container_client::api::NetworkCreateRequest;
use container_client::services::NETWORK_PROGRAM;
use container_ipc::Error;
use container_resource::Network;
use rustix::process::Signal;

use crate::harness::{Installation, TestResult, signal_pid_in};

fn request(name: &str, subnet: Option<&str>) -> NetworkCreateRequest {
    NetworkCreateRequest {
        name: name.to_owned(),
        ipv4_subnet: subnet.map(str::to_owned),
        plugin: NETWORK_PROGRAM.to_owned(),
        ..NetworkCreateRequest::default()
    }
}

impl Installation {
    fn network_pid(&self, name: &str) -> io::Result<String> {
        fs::read_to_string(self.app().join("networks").join(name).join("pid"))
    }

    /// Waits until the network `name` has a helper other than `before`.
    async fn network_helper(&self, name: &str, before: Option<&str>) -> io::Result<String> {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            match self.network_pid(name) {
                Ok(pid) if !pid.is_empty() && Some(pid.as_str()) != before => return Ok(pid),
                other if Instant::now() > deadline => return other,
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    async fn network(&self, name: &str) -> Result<Option<Network>, Error> {
        let networks = self.client.networks().await?;
        Ok(networks.into_iter().find(|network| network.id == name))
    }
}

fn text<T>(result: Result<T, Error>) -> String {
    result.map_or_else(|error| error.to_string(), |_| "no error".to_owned())
}

#[tokio::test]
async fn networks_stay_what_they_are_and_their_helpers_run() -> TestResult {
    let mut installation = Installation::start().await?;
    // Until then its subnet may be one that this host uses.
    installation.network_helper("default", None).await?;
    let default = installation
        .network("default")
        .await?
        .expect("there from the start");
    assert!(default.configuration.is_builtin());
    let made = installation.client.create_network(request("web", None)).await?;
    assert_ne!(made.status.ipv4_subnet, default.status.ipv4_subnet);
    let first = installation.network_helper("web", None).await?;

    // The next server finds both, and takes the helpers over.
    installation.end_server(Signal::KILL)?;
    installation.start_server().await?;
    assert_eq!(installation.network("default").await?.as_ref(), Some(&default));
    assert_eq!(installation.network("web").await?.as_ref(), Some(&made));
    installation.create(installation.request("one")).await?;
    installation.boot("one").await?;
    assert_eq!(installation.network_pid("web")?, first);

    // One that dies is started again, for the same network.
    signal_pid_in(&installation.app().join("networks/web/pid"), Signal::KILL)?;
    installation.network_helper("web", Some(&first)).await?;
    assert_eq!(installation.network("web").await?.as_ref(), Some(&made));
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_made_leaves_nothing() -> TestResult {
    let installation = Installation::start().await?;
    let create = async |name: &str, subnet: Option<&str>| {
        text(installation.client.create_network(request(name, subnet)).await)
    };
    assert_eq!(create("web", Some("10.201.0.0/16")).await, "no error");
    assert_eq!(create("web", None).await, "network web already exists");
    assert_eq!(
        create("two", Some("10.201.7.0/24")).await,
        "IPv4 subnet 10.201.7.0/24 overlaps an existing network with subnet 10.201.0.0/16"
    );
    assert_eq!(create("none", None).await, "network none is not a valid name");
    assert_eq!(create("../x", None).await, "invalid network name: ../x");
    assert_eq!(
        create("two", Some("127.0.0.0/24")).await,
        "IPv4 subnet 127.0.0.0/24 cannot be used: it is not of the addresses for private or public hosts"
    );
    assert_eq!(
        create("broken", None).await,
        "failed to start network broken (cause: \"unsupported: \"no bridge for you: build one\"\")"
    );
    let stranger = NetworkCreateRequest {
        plugin: "container-runtime-linux".to_owned(),
        ..request("two", None)
    };
    assert_eq!(
        text(installation.client.create_network(stranger).await),
        "unable to locate network plugin container-runtime-linux"
    );
    let mut directories = BTreeSet::new();
    for entry in fs::read_dir(installation.app().join("networks"))? {
        directories.insert(entry?.file_name().to_string_lossy().into_owned());
    }
    assert_eq!(
        directories,
        BTreeSet::from(["default".to_owned(), "web".to_owned()])
    );
    let networks = installation.client.networks().await?;
    let names: Vec<&str> = networks.iter().map(|network| network.id.as_str()).collect();
    assert_eq!(names, ["default", "web"]);
    Ok(())
}

#[tokio::test]
async fn a_subnet_that_somebody_takes_meanwhile_costs_nothing() -> TestResult {
    let installation = Installation::start().await?;
    let made = installation
        .client
        .create_network(request("contested", None))
        .await?;
    let directory = installation.app().join("networks/contested");
    let taken = fs::read_to_string(directory.join("taken"))?;
    assert_eq!(taken.lines().count(), 3, "{taken}");
    assert!(!taken.contains(&made.status.ipv4_subnet), "{taken}");
    let stored = fs::read_to_string(directory.join("subnets.json"))?;
    assert!(stored.contains(&made.status.ipv4_subnet), "{stored}");
    // Whoever asks for one gets this one or none.
    let wanted = request("contested-too", Some("10.201.0.0/24"));
    assert_eq!(
        text(installation.client.create_network(wanted).await),
        "failed to start network contested-too (cause: \"exists: \"somebody has 10.201.0.0/24\"\")"
    );
    Ok(())
}

#[tokio::test]
async fn a_network_that_a_container_refers_to_stays() -> TestResult {
    let installation = Installation::start().await?;
    assert_eq!(
        text(installation.client.delete_network("default").await),
        "cannot delete builtin network: default"
    );
    let on_web = |id: &str| {
        let mut request = installation.request(id);
        request.configuration.networks[0].network = "web".to_owned();
        request
    };
    let refused = text(installation.create(on_web("aa")).await);
    assert!(refused.contains("network web not found"), "{refused}");
    installation.client.create_network(request("web", None)).await?;
    installation.create(on_web("bb")).await?;
    installation.create(on_web("aa")).await?;
    assert_eq!(
        text(installation.client.delete_network("web").await),
        "cannot delete subnet web with referring containers: aa, bb"
    );
    installation.client.delete("aa", false).await?;
    installation.client.delete("bb", false).await?;
    installation.client.delete_network("web").await?;
    assert!(!installation.app().join("networks/web").exists());

    // Whoever comes first wins; a container without its network is never the result.
    for round in 0..20 {
        installation.client.create_network(request("web", None)).await?;
        let id = format!("r{round}");
        let (creator, deleter) = (installation.connect().await?, installation.connect().await?);
        let container = on_web(&id);
        let (created, deleted) = tokio::join!(creator.create(container), deleter.delete_network("web"));
        assert_eq!(created.is_ok(), deleted.is_err(), "{created:?} {deleted:?}");
        if created.is_ok() {
            installation.client.delete(&id, false).await?;
            installation.client.delete_network("web").await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_container_is_told_why_its_network_does_not_start() -> TestResult {
    let mut installation = Installation::start().await?;
    installation.client.create_network(request("web", None)).await?;
    // The network of an earlier server, whose helper cannot set it up today.
    installation.end_server(Signal::KILL)?;
    let networks = installation.app().join("networks");
    signal_pid_in(&networks.join("web/pid"), Signal::KILL)?;
    fs::rename(networks.join("web"), networks.join("broken"))?;
    let entity = networks.join("broken/entity.json");
    fs::write(
        &entity,
        fs::read_to_string(&entity)?.replace("\"web\"", "\"broken\""),
    )?;
    installation.start_server().await?;
    assert!(installation.network("broken").await?.is_some());
    let mut other = installation.request("two");
    other.configuration.networks[0].network = "broken".to_owned();
    installation.create(other).await?;
    let error = text(installation.boot("two").await);
    assert!(error.contains("no bridge for you: build one"), "{error}");
    Ok(())
}

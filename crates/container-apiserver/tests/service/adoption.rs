//! A server that ends, in any way, and the next one.

use std::fs;
use std::time::{Duration, Instant};

use container_resource::{ContainerOptions, ContainerState};
use rustix::process::Signal;

use crate::harness::{Installation, TestResult, server};

#[tokio::test]
async fn helpers_outlive_the_server_and_are_adopted() -> TestResult {
    let mut installation = Installation::start().await?;
    for id in ["web", "db"] {
        installation.create(installation.request(id)).await?;
        installation.run(id).await?;
    }
    let before = installation.get("web").await?;
    for signal in [Signal::KILL, Signal::TERM] {
        installation.end_server(signal)?;
        assert_eq!(installation.helpers()?.len(), 2, "{signal:?}");
        installation.start_server().await?;
        let after = installation.becomes("web", ContainerState::Running).await?;
        assert_eq!(after, before);
    }
    installation.becomes("db", ContainerState::Running).await?;
    assert!(
        installation
            .client
            .start_process(crate::harness::init("web"))
            .await
            .is_err(),
        "started twice"
    );
    assert_eq!(installation.state("web").await?, ContainerState::Running);
    installation.stop("web", 1).await?;
    assert_eq!(installation.wait("web").await?.exit_code, 143);
    let waiting = {
        let client = installation.client.clone();
        tokio::spawn(async move { client.wait(crate::harness::init("db")).await })
    };
    installation.kill("db", "KILL").await?;
    assert_eq!(waiting.await??.exit_code, 137);
    assert_eq!(installation.helpers()?, Vec::<String>::new());
    installation.run("web").await?;
    Ok(())
}

#[tokio::test]
async fn what_ended_meanwhile_is_known() -> TestResult {
    let mut installation = Installation::start().await?;
    for id in ["told", "lost", "never", "removed"] {
        let mut request = installation.request(id);
        request.options = ContainerOptions {
            auto_remove: id == "removed",
        };
        installation.create(request).await?;
        if id != "never" {
            installation.run(id).await?;
        }
    }
    let started = installation.get("lost").await?.status.started_date;
    installation.end_server(Signal::KILL)?;
    let exit = container_resource::ExitStatus {
        exit_code: 5,
        exited_at: container_resource::time::now(),
    };
    installation.bundle("told").store_exit(exit)?;
    for id in ["told", "lost", "removed"] {
        installation.signal_helper(id, Signal::KILL)?;
    }
    installation.start_server().await?;
    assert_eq!(installation.wait("told").await?, exit);
    assert_eq!(installation.wait("lost").await?.exit_code, 255);
    assert_eq!(
        installation
            .becomes("lost", ContainerState::Stopped)
            .await?
            .status
            .started_date,
        started
    );
    assert!(installation.wait("never").await.is_err());
    let deadline = Instant::now() + Duration::from_secs(20);
    while installation.exists("removed").await? {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    installation.run("lost").await?;
    Ok(())
}

#[tokio::test]
async fn an_adopted_helper_that_does_not_answer_can_be_killed() -> TestResult {
    let mut installation = Installation::start().await?;
    for id in ["hung", "web"] {
        installation.create(installation.request(id)).await?;
        installation.run(id).await?;
    }
    installation.signal_helper("hung", Signal::STOP)?;
    installation.end_server(Signal::KILL)?;
    let begin = Instant::now();
    installation.start_server().await?;
    installation.becomes("web", ContainerState::Running).await?;
    assert_eq!(installation.state("hung").await?, ContainerState::Unknown);
    installation.kill("hung", "KILL").await?;
    assert!(begin.elapsed() < Duration::from_secs(6), "{:?}", begin.elapsed());
    assert_eq!(installation.wait("hung").await?.exit_code, 137);
    assert_eq!(installation.helpers()?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_crash_leaves_whole_containers_and_damaged_ones_are_kept() -> TestResult {
    let mut installation = Installation::start().await?;
    for id in ["whole", "damaged", "renamed"] {
        installation.create(installation.request(id)).await?;
    }
    installation.end_server(Signal::KILL)?;
    let containers = installation.containers();
    let at = |name: &str| containers.join(name);
    fs::create_dir_all(at(".ingest-1/deep"))?;
    fs::write(at(".ingest-1/config.json"), "{}")?;
    fs::create_dir(at(".removed-2"))?;
    fs::create_dir(at("empty"))?;
    fs::write(at("damaged").join("config.json"), "{\"configuration\": {")?;
    fs::write(at("damaged").join("scratch.ext4"), "precious")?;
    // As if the server had ended in the middle of renaming a container.
    fs::rename(at("renamed"), at("other"))?;
    fs::create_dir(at("twin"))?;
    fs::copy(at("whole").join("config.json"), at("twin").join("config.json"))?;
    installation.start_server().await?;

    let listed = installation.client.list(Default::default()).await?;
    assert_eq!(
        listed
            .iter()
            .map(|container| container.id.as_str())
            .collect::<Vec<_>>(),
        ["renamed", "whole"]
    );
    let deadline = Instant::now() + Duration::from_secs(20);
    let names = loop {
        let names = installation.names()?;
        if !names
            .iter()
            .any(|name| name.starts_with(".ingest") || name.starts_with(".removed"))
        {
            break names;
        }
        assert!(Instant::now() < deadline, "{names:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let aside: Vec<&str> = names
        .iter()
        .filter_map(|name| name.strip_prefix(".broken-"))
        .collect();
    assert_eq!(names.len(), 5, "{names:?}");
    for id in ["damaged-", "empty-", "twin-"] {
        assert!(aside.iter().any(|name| name.starts_with(id)), "{names:?}");
    }
    let damaged = names
        .iter()
        .find(|name| name.starts_with(".broken-damaged-"))
        .ok_or("not kept")?;
    assert_eq!(fs::read_to_string(at(damaged).join("scratch.ext4"))?, "precious");
    // The names are free again.
    installation.create(installation.request("damaged")).await?;
    Ok(())
}

#[tokio::test]
async fn a_second_server_is_refused_and_changes_nothing() -> TestResult {
    let installation = Installation::start().await?;
    installation.create(installation.request("web")).await?;
    fs::create_dir(installation.containers().join(".ingest-1"))?;
    let output = server(installation.path()).output()?;
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("service dev.container.apiserver is already running"),
        "{text}"
    );
    assert_eq!(installation.names()?, [".ingest-1", "web"]);
    installation.run("web").await?;
    Ok(())
}

#[tokio::test]
async fn a_server_ends_when_it_is_told_to() -> TestResult {
    let mut installation = Installation::start().await?;
    installation.create(installation.request("web")).await?;
    installation.run("web").await?;
    let waiting = {
        let client = installation.client.clone();
        tokio::spawn(async move { client.wait(crate::harness::init("web")).await })
    };
    installation.client.statistics("web").await?;
    let begin = Instant::now();
    let status = installation.end_server(Signal::TERM)?;
    assert!(status.success(), "{status}");
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
    assert!(
        waiting
            .await?
            .is_err_and(|error| error.to_string().contains("XPC connection error"))
    );
    assert_eq!(installation.helpers()?.len(), 1);
    Ok(())
}

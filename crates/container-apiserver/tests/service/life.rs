//! A container's life when nothing goes wrong.

use std::io::{Read, pipe};

use container_client::Stdio;
use container_client::api::{ContainerCreateProcessRequest, ContainerFilter, ProcessReference, StopOptions};
use container_client::stdio_log::LogReader;
use container_resource::{ContainerOptions, ContainerState};

use crate::harness::{Installation, TestResult, init};

#[tokio::test]
async fn a_container_is_created_runs_stops_and_runs_again() -> TestResult {
    let installation = Installation::start().await?;
    installation.create(installation.request("web")).await?;
    let created = installation.get("web").await?;
    assert_eq!(created.status.state, ContainerState::Stopped);
    assert_eq!(created.status.started_date, None);
    let error = installation.wait("web").await.map_err(|error| error.to_string());
    assert_eq!(
        error,
        Err("no runtime client exists: container is stopped".to_owned())
    );
    assert!(installation.client.logs("web").await.is_err());

    for _ in 0..2 {
        let phases = installation.boot("web").await?;
        assert_eq!(phases.0.first().map(|phase| phase.name.as_str()), Some("spawn"));
        installation.client.start_process(init("web")).await?;
        let running = installation.get("web").await?;
        assert_eq!(running.status.state, ContainerState::Running);
        assert_eq!(
            running
                .status
                .networks
                .first()
                .map(|network| network.hostname.as_str()),
            Some("web")
        );
        assert!(running.status.started_date.is_some());
        assert_eq!(
            installation.client.statistics("web").await?.num_processes,
            Some(1)
        );

        let waiters: Vec<_> = (0..10)
            .map(|_| {
                let client = installation.client.clone();
                tokio::spawn(async move { client.wait(init("web")).await })
            })
            .collect();
        installation.kill("web", "TERM").await?;
        for waiter in waiters {
            assert_eq!(waiter.await??.exit_code, 143);
        }
        let stopped = installation.get("web").await?;
        assert_eq!(stopped.status.state, ContainerState::Stopped);
        assert!(stopped.status.networks.is_empty());
        assert!(stopped.status.started_date.is_some(), "the start is remembered");
        assert_eq!(
            installation.wait("web").await?.exit_code,
            143,
            "the end is remembered"
        );
        assert_eq!(installation.helpers()?, Vec::<String>::new());
    }

    let [stdio, boot] = installation.client.logs("web").await?;
    let mut stdio = LogReader::new(stdio);
    assert_eq!(
        stdio.next_record()?.map(|record| record.text),
        Some(&b"output"[..])
    );
    assert_eq!(stdio.next_record()?, None);
    assert_eq!(std::io::read_to_string(std::fs::File::from(boot))?, "console\n");
    installation.client.delete("web", false).await?;
    assert!(!installation.exists("web").await?);
    Ok(())
}

#[tokio::test]
async fn containers_that_end_at_once_can_still_be_waited_for() -> TestResult {
    let installation = Installation::start().await?;
    for round in 0..3 {
        let mut request = installation.request("short");
        request.options = ContainerOptions { auto_remove: true };
        request.configuration.init_process.arguments = vec![(40 + round).to_string()];
        installation.create(request).await?;
        installation.boot("short").await?;
        let waiting = {
            let client = installation.client.clone();
            tokio::spawn(async move { client.wait(init("short")).await })
        };
        installation.client.start_process(init("short")).await?;
        assert_eq!(waiting.await??.exit_code, 40 + round);
        assert!(
            !installation.exists("short").await?,
            "the name is free when the end is known"
        );
        assert_eq!(
            installation.wait("short").await?.exit_code,
            40 + round,
            "asked too late"
        );
    }
    Ok(())
}

#[tokio::test]
async fn further_processes_are_passed_on_with_their_descriptors() -> TestResult {
    let installation = Installation::start().await?;
    installation.create(installation.request("web")).await?;
    let process = |name: &str| ProcessReference {
        id: "web".to_owned(),
        process_identifier: name.to_owned(),
    };
    let request = |configuration| ContainerCreateProcessRequest {
        id: "web".to_owned(),
        process_identifier: "7".to_owned(),
        process_config: configuration,
        stdio: Default::default(),
    };
    let configuration = installation.get("web").await?.configuration.init_process;
    let error = installation
        .client
        .create_process(request(configuration.clone()), Stdio::default())
        .await;
    assert!(error.is_err_and(|error| error.to_string().contains("container is stopped")));

    installation.run("web").await?;
    let (mut output, stdout) = pipe()?;
    let stdio = Stdio {
        stdout: Some(stdout.into()),
        ..Stdio::default()
    };
    installation
        .client
        .create_process(request(configuration), stdio)
        .await?;
    installation.client.start_process(process("7")).await?;
    assert_eq!(installation.client.wait(process("7")).await?.exit_code, 7);
    let mut text = String::new();
    output.read_to_string(&mut text)?;
    assert_eq!(text, "/bin/sh", "and nobody else holds the pipe");

    let client = installation.client.clone();
    let endless = tokio::spawn(async move { client.wait(process("endless")).await });
    // Answered in order, so that the wait is under way.
    installation.client.statistics("web").await?;
    installation.kill("web", "KILL").await?;
    assert!(endless.await?.is_ok_and(|status| status.exit_code > 128));
    Ok(())
}

#[tokio::test]
async fn stopping_and_killing_follow_the_rules() -> TestResult {
    let installation = Installation::start().await?;
    let text = |result: Result<(), container_ipc::Error>| result.map_err(|error| error.to_string());
    assert_eq!(
        text(installation.stop("web", 1).await),
        Err(r#"failed to stop container (cause: "notFound: "container with ID web not found"")"#.to_owned())
    );
    installation.create(installation.request("web")).await?;
    installation.stop("web", 1).await?;
    assert_eq!(
        text(installation.kill("web", "KILL").await),
        Err(r#"failed to kill container (cause: "invalidState: "no runtime client exists: container is stopped"")"#
            .to_owned())
    );
    installation.run("web").await?;
    assert!(
        installation.client.start_process(init("web")).await.is_err(),
        "started twice"
    );
    assert_eq!(installation.state("web").await?, ContainerState::Running);
    assert!(installation.boot("web").await?.0.is_empty(), "booted twice");
    assert_eq!(
        text(installation.client.delete("web", false).await),
        Err(r#"failed to delete container (cause: "invalidState: "container web is running and can not be deleted"")"#
            .to_owned())
    );
    let nonsense = StopOptions {
        timeout_in_seconds: Some(1),
        signal: Some("NONSENSE".to_owned()),
        ..StopOptions::default()
    };
    assert!(installation.client.stop("web", nonsense).await.is_err());
    assert_eq!(
        installation.state("web").await?,
        ContainerState::Running,
        "a typing error kills nothing"
    );
    installation.stop("web", 1).await?;
    assert_eq!(installation.wait("web").await?.exit_code, 143);
    installation.run("web").await?;
    installation.client.delete("web", true).await?;
    assert!(
        installation
            .client
            .list(ContainerFilter::default())
            .await?
            .is_empty()
    );
    Ok(())
}

#[tokio::test]
async fn lists_are_filtered() -> TestResult {
    let installation = Installation::start().await?;
    for (id, tier) in [("aa", "front"), ("bb", "back"), ("cc", "background")] {
        let mut request = installation.request(id);
        request
            .configuration
            .labels
            .insert("tier".to_owned(), tier.to_owned());
        installation.create(request).await?;
    }
    installation.boot("bb").await?;
    let ids = |filter| async {
        let listed = installation.client.list(filter).await?;
        Ok::<_, container_ipc::Error>(
            listed
                .into_iter()
                .map(|container| container.id)
                .collect::<Vec<_>>(),
        )
    };
    let labels = |pattern: &str| ContainerFilter {
        labels: [("tier".to_owned(), pattern.to_owned())].into(),
        ..Default::default()
    };
    assert_eq!(ids(ContainerFilter::default()).await?, ["aa", "bb", "cc"]);
    assert_eq!(ids(labels("back")).await?, ["bb"], "the whole value has to match");
    assert_eq!(ids(labels("back.*|front")).await?, ["aa", "bb", "cc"]);
    let running = ContainerFilter {
        status: Some(ContainerState::Running),
        ..Default::default()
    };
    assert_eq!(ids(running).await?, ["bb"]);
    let error = ids(labels("(")).await.map_err(|error| error.to_string());
    assert!(error.is_err_and(|text| text.contains("failed to compile regex '(' for tier")));
    Ok(())
}

//! Creating containers: who wins, what is refused, what is left.

use std::fs;
use std::os::unix::fs::MetadataExt;

use container_client::bundle::{CONFIGURATION_FILE, INIT_DISK_FILE, KERNEL_FILE, ROOT_DISK_FILE};
use rustix::process::Signal;

use crate::harness::{Installation, TestResult, signal_pid_in};

#[tokio::test]
async fn one_of_many_wins_a_name() -> TestResult {
    let installation = Installation::start().await?;
    let mut attempts = Vec::new();
    for _ in 0..16 {
        let (client, request) = (installation.connect().await?, installation.request("web"));
        attempts.push(tokio::spawn(async move { client.create(request).await }));
    }
    let mut won = 0;
    for attempt in attempts {
        match attempt.await? {
            Ok(_) => won += 1,
            Err(error) => assert_eq!(
                error.to_string(),
                r#"failed to create container (cause: "exists: "container already exists: web"")"#
            ),
        }
    }
    assert_eq!(won, 1);
    assert_eq!(installation.names()?, ["web"]);
    Ok(())
}

#[tokio::test]
async fn a_bundle_is_complete_and_shares_what_never_changes() -> TestResult {
    let installation = Installation::start().await?;
    installation.create(installation.request("web")).await?;
    let bundle = installation.bundle("web");
    let mut names = Vec::new();
    for entry in fs::read_dir(bundle.path())? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    assert_eq!(
        names,
        [CONFIGURATION_FILE, INIT_DISK_FILE, KERNEL_FILE, ROOT_DISK_FILE]
    );
    let inode = |path: &std::path::Path| fs::metadata(path).map(|metadata| metadata.ino());
    assert_eq!(
        inode(&bundle.kernel())?,
        inode(&installation.app().join("kernels/vmlinux"))?
    );
    assert_eq!(
        inode(&bundle.root_disk())?,
        inode(&installation.app().join("disk.erofs"))?
    );
    assert_eq!(
        bundle.load_configuration()?.configuration,
        installation.get("web").await?.configuration
    );

    // A kernel of the user's own may be written to again.
    let own = installation.path().join("vmlinux");
    fs::write(&own, "own")?;
    let mut request = installation.request("own");
    request.kernel.path = own.clone();
    installation.create(request).await?;
    assert_ne!(inode(&installation.bundle("own").kernel())?, inode(&own)?);
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_is_refused_and_leaves_nothing() -> TestResult {
    let installation = Installation::start().await?;
    installation.create(installation.request("web")).await?;
    type Change = fn(&mut container_client::api::ContainerCreateRequest);
    let cases: [(Change, &str); 7] = [
        (
            |request| request.configuration.id = "../up".to_owned(),
            "container ID ../up is not a valid container ID",
        ),
        (
            |request| request.configuration.networks[0].options.hostname = "web".to_owned(),
            r#"hostname(s) already exist: ["web"]"#,
        ),
        (
            |request| request.configuration.runtime_handler = "other".to_owned(),
            "unable to locate runtime plugin other",
        ),
        (
            |request| request.configuration.runtime_handler = "../../bin/sh".to_owned(),
            "unable to locate runtime plugin ../../bin/sh",
        ),
        (
            |request| request.configuration.resources.memory_in_bytes = 0,
            "minimum memory amount allowed is 200 MiB (got 0 bytes)",
        ),
        (
            |request| request.kernel.path = "/nonexistent".into(),
            "kernel not found at /nonexistent",
        ),
        (
            |request| request.configuration.image.reference = "missing".to_owned(),
            "image with reference missing",
        ),
    ];
    for (change, expected) in cases {
        let mut request = installation.request("next");
        change(&mut request);
        let error = installation
            .create(request)
            .await
            .err()
            .and_then(|error| error.cause);
        assert_eq!(error.map(|cause| cause.message).as_deref(), Some(expected));
        assert_eq!(installation.names()?, ["web"], "{expected}");
    }
    installation.create(installation.request("next")).await?;
    Ok(())
}

#[tokio::test]
async fn a_client_that_disappears_leaves_no_half_container() -> TestResult {
    let installation = Installation::start().await?;
    for round in 0..20 {
        let (client, request) = (
            installation.connect().await?,
            installation.request(&format!("c{round}")),
        );
        let creating = tokio::spawn(async move { client.create(request).await });
        tokio::time::sleep(std::time::Duration::from_micros(300 * round)).await;
        creating.abort();
    }
    // What was begun is finished; what was not begun is not there.
    installation.create(installation.request("last")).await?;
    installation.client.delete("last", false).await?;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let listed = installation.client.list(Default::default()).await?;
        let listed: Vec<String> = listed.into_iter().map(|container| container.id).collect();
        if installation.names()? == listed {
            return Ok(());
        }
        assert!(
            std::time::Instant::now() < deadline,
            "{:?} and {listed:?}",
            installation.names()?
        );
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn the_image_service_is_started_again_when_it_dies() -> TestResult {
    let installation = Installation::start().await?;
    for id in ["one", "two", "three"] {
        installation.create(installation.request(id)).await?;
        signal_pid_in(&installation.app().join("images.pid"), Signal::KILL)?;
        image_service_is_missed(&installation).await?;
    }
    installation.create(installation.request("four")).await?;
    Ok(())
}

/// Waits until the server has noticed, which it does by itself.
async fn image_service_is_missed(installation: &Installation) -> TestResult {
    let log = installation.path().join("server.log");
    let ends = || fs::read_to_string(&log).map(|text| text.matches("the image service ended").count());
    let wanted = installation.names()?.len();
    while ends()? < wanted {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    Ok(())
}

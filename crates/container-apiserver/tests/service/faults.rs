//! Helpers that hang, die or do not obey: everything else goes on, and everything can be ended in seconds.

use std::time::{Duration, Instant};

use container_resource::{ContainerOptions, ContainerState};
use rustix::process::Signal;

use crate::harness::{Installation, TestResult};

/// The bound on everything that ends by force.
const FORCE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_stopped_helper_is_killed_within_the_bound() -> TestResult {
    let installation = Installation::start().await?;
    for (id, delete) in [("kill", false), ("delete", true)] {
        installation.create(installation.request(id)).await?;
        installation.run(id).await?;
        installation.signal_helper(id, Signal::STOP)?;
        let begin = Instant::now();
        if delete {
            installation.client.delete(id, true).await?;
            assert!(!installation.exists(id).await?);
        } else {
            installation.kill(id, "KILL").await?;
            assert_eq!(installation.state(id).await?, ContainerState::Stopped);
        }
        assert!(begin.elapsed() < FORCE, "{:?}", begin.elapsed());
        assert_eq!(installation.wait(id).await?.exit_code, 137);
        assert_eq!(installation.helpers()?, Vec::<String>::new());
    }
    installation.run("kill").await?;
    Ok(())
}

#[tokio::test]
async fn a_helper_that_does_not_stop_is_killed_after_the_grace_period() -> TestResult {
    let installation = Installation::start().await?;
    installation
        .create(installation.misbehaving("web", "ignore-stop"))
        .await?;
    installation.run("web").await?;
    let begin = Instant::now();
    installation.stop("web", 1).await?;
    assert!(
        (Duration::from_secs(1)..Duration::from_secs(15)).contains(&begin.elapsed()),
        "{:?}",
        begin.elapsed()
    );
    assert_eq!(installation.wait("web").await?.exit_code, 137);

    installation.run("web").await?;
    let begin = Instant::now();
    installation.kill("web", "KILL").await?;
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    Ok(())
}

#[tokio::test]
async fn a_helper_that_does_not_leave_is_made_to() -> TestResult {
    let installation = Installation::start().await?;
    installation
        .create(installation.misbehaving("web", "hang-at-shutdown"))
        .await?;
    installation.run("web").await?;
    let begin = Instant::now();
    installation.kill("web", "KILL").await?;
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
    assert_eq!(installation.helpers()?, Vec::<String>::new());
    assert_eq!(installation.wait("web").await?.exit_code, 137);
    Ok(())
}

#[tokio::test]
async fn a_boot_that_hangs_disturbs_nobody_and_can_be_ended() -> TestResult {
    let installation = Installation::start().await?;
    installation
        .create(installation.misbehaving("hung", "hang-at-boot"))
        .await?;
    installation.create(installation.request("web")).await?;
    let client = installation.connect().await?;
    let booting = tokio::spawn(async move {
        let request = container_client::api::ContainerBootstrapRequest {
            id: "hung".to_owned(),
            stdio: Default::default(),
            dynamic_env: Default::default(),
        };
        client.bootstrap(request, Default::default()).await
    });
    while installation.helpers()?.is_empty() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }

    let begin = Instant::now();
    let lists: Vec<_> = (0..50)
        .map(|_| {
            let client = installation.client.clone();
            tokio::spawn(async move { client.list(Default::default()).await })
        })
        .collect();
    for list in lists {
        assert_eq!(list.await??.len(), 2);
    }
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    installation.run("web").await?;
    assert!(
        installation.client.delete("hung", false).await.is_err(),
        "it is about to run"
    );

    let begin = Instant::now();
    installation.client.delete("hung", true).await?;
    assert!(begin.elapsed() < FORCE, "{:?}", begin.elapsed());
    assert!(booting.await?.is_err());
    assert_eq!(installation.helpers()?.len(), 1);
    assert_eq!(installation.names()?, ["web"]);
    Ok(())
}

#[tokio::test]
async fn a_helper_that_dies_at_boot_is_an_error_with_its_log() -> TestResult {
    let installation = Installation::start().await?;
    installation
        .create(installation.misbehaving("web", "die-at-boot"))
        .await?;
    for _ in 0..2 {
        let error = installation
            .boot("web")
            .await
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        assert!(error.contains("container-runtime-linux-web.log"), "{error}");
        assert_eq!(installation.state("web").await?, ContainerState::Stopped);
    }
    installation.client.delete("web", false).await?;
    let run = container_ipc::runtime_dir(&installation.app());
    for entry in std::fs::read_dir(run)? {
        let name = entry?.file_name();
        assert!(!name.to_string_lossy().contains("web"), "{name:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_program_that_cannot_be_started_ends_its_container() -> TestResult {
    let installation = Installation::start().await?;
    installation
        .create(installation.misbehaving("web", "fail-at-start"))
        .await?;
    let error = installation
        .run("web")
        .await
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    assert!(error.contains("failed to find target executable"), "{error}");
    assert_eq!(installation.state("web").await?, ContainerState::Stopped);
    assert_eq!(installation.helpers()?, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn a_lost_helper_is_an_exit_with_255() -> TestResult {
    let installation = Installation::start().await?;
    for auto_remove in [false, true] {
        let mut request = installation.request("web");
        request.options = ContainerOptions { auto_remove };
        installation.create(request).await?;
        installation.run("web").await?;
        let waiting = {
            let client = installation.client.clone();
            tokio::spawn(async move { client.wait(crate::harness::init("web")).await })
        };
        assert!(installation.kill("web", "USR1").await.is_err());
        assert_eq!(waiting.await??.exit_code, 255);
        assert_eq!(installation.exists("web").await?, !auto_remove);
        if !auto_remove {
            assert_eq!(installation.state("web").await?, ContainerState::Stopped);
            installation.client.delete("web", false).await?;
        }
    }
    Ok(())
}

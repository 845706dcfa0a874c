//! A network's helper that sets nothing up. One of a network whose name begins with `broken` cannot, and the first three
//! subnets of one whose name begins with `contested` are somebody else's.

use std::os::fd::{FromRawFd, OwnedFd};

use container_client::network::{Shutdown, Status};
use container_config::Roots;
use container_ipc::unix::Listener;
use container_ipc::{Error, Router};
use container_resource::{NetworkStatus, subnet};
use tokio_util::sync::CancellationToken;

pub(crate) async fn serve(roots: &Roots, arguments: Vec<String>) -> anyhow::Result<()> {
    // SAFETY: the server says that it left an open descriptor of this number, and nothing else here uses it.
    let listener = Listener::from_fd(unsafe { OwnedFd::from_raw_fd(3) })?;
    let value = |option: &str| {
        let at = arguments.iter().position(|argument| argument == option);
        let value = at.and_then(|at| arguments.get(at + 1));
        value.ok_or_else(|| anyhow::anyhow!("no {option}"))
    };
    let id = value("--id")?;
    let pid = roots.app.join("networks").join(id).join("pid");
    std::fs::write(pid, std::process::id().to_string())?;
    let status = NetworkStatus {
        ipv4_subnet: value("--subnet")?.clone(),
        ipv4_gateway: subnet::ipv4_gateway(value("--subnet")?.parse()?).to_string(),
        ipv6_subnet: Some(value("--subnet-v6")?.clone()),
    };
    let broken = id.starts_with("broken");
    let taken = id.starts_with("contested") && {
        let file = roots.app.join("networks").join(id).join("taken");
        let taken = std::fs::read_to_string(&file).unwrap_or_default();
        let own = format!("{}\n", status.ipv4_subnet);
        let more = !taken.contains(&own) && taken.lines().count() < 3;
        if more {
            std::fs::write(file, format!("{taken}{own}"))?;
        }
        more || taken.contains(&own)
    };
    let shutdown = CancellationToken::new();
    let end = shutdown.clone();
    let router = Router::new()
        .route::<Status, _, _>(move |_| {
            let status = status.clone();
            async move {
                if broken {
                    return Err(Error::unsupported("no bridge for you: build one"));
                }
                if taken {
                    return Err(Error::exists(format!("somebody has {}", status.ipv4_subnet)));
                }
                Ok(status.into())
            }
        })
        .route::<Shutdown, _, _>(move |_| {
            end.cancel();
            async { Ok(().into()) }
        });
    container_ipc::serve_with(listener, router, shutdown).await;
    Ok(())
}

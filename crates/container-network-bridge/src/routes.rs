//! The helper's routes (behaviour reference, 27.6).

use container_client::network::{Allocate, Lookup, Shutdown, Sockets, Status};
use container_ipc::{Error, Reply, Router};

use crate::service::Service;

/// The routes of `service`.
pub fn router(service: &Service) -> Router {
    let (status, allocate, lookup) = (service.clone(), service.clone(), service.clone());
    let (sockets, shutdown) = (service.clone(), service.clone());
    Router::new()
        .route::<Status, _, _>(move |_| {
            let service = status.clone();
            async move { Ok(service.status().await?.into()) }
        })
        .route::<Allocate, _, _>(move |request| {
            let service = allocate.clone();
            async move {
                let namespace = request.fds.into_iter().next();
                let (value, fds) = service
                    .allocate(&request.payload, namespace, &request.session)
                    .await?;
                Ok(Reply { value, fds })
            }
        })
        .route::<Lookup, _, _>(move |request| {
            let found = lookup.lookup(&request.payload.hostname);
            async move { Ok::<_, Error>(found.into()) }
        })
        .route::<Sockets, _, _>(move |request| {
            let service = sockets.clone();
            async move {
                let fds = service.sockets(request.payload).await?;
                Ok(Reply { value: (), fds })
            }
        })
        .route::<Shutdown, _, _>(move |_| {
            let service = shutdown.clone();
            async move {
                service.shut_down().await;
                Ok::<_, Error>(().into())
            }
        })
}

//! The handlers of the registry routes.

use container_client::images::{RegistryList, RegistryLogin, RegistryLoginRequest, RegistryLogout};
use container_image_store::Registries;
use container_ipc::{Error, Reply, Router};

/// Adds the routes for logins to `router`.
pub fn with_logins(router: Router, registries: &Registries) -> Router {
    let (to_login, to_logout, to_list) = (registries.clone(), registries.clone(), registries.clone());
    router
        .route::<RegistryLogin, _, _>(move |request| {
            let registries = to_login.clone();
            async move {
                let RegistryLoginRequest {
                    host,
                    username,
                    password,
                    insecure_flag,
                } = request.payload;
                registries
                    .login(&host, &username, password, insecure_flag)
                    .await?;
                Ok::<_, Error>(Reply::from(()))
            }
        })
        .route::<RegistryLogout, _, _>(move |request| {
            let registries = to_logout.clone();
            async move {
                registries.logout(&request.payload.host).await?;
                Ok::<_, Error>(Reply::from(()))
            }
        })
        .route::<RegistryList, _, _>(move |_| {
            let registries = to_list.clone();
            async move { Ok::<_, Error>(Reply::from(registries.logins().await?)) }
        })
}

//! Logins, and where credentials come from.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use container_image_store::{Credentials, Registries, UserSecrets};
use serde_json::json;

use crate::pull::{Registry, Store};
use crate::server::{Auth, Fault, Server};
use crate::support::small_layout;

/// Settings with a store of logins and a `config.json` in `dir`.
fn settings(dir: &Path) -> Registries {
    Registries {
        secrets: Some(Arc::new(UserSecrets::new(&dir.join("root")))),
        docker_config: Some(dir.join("config.json")),
        retry_delay: Duration::from_millis(1),
        ..Registries::default()
    }
}

#[tokio::test]
async fn a_login_is_tried_before_it_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::start(true);
    let host = &registry.host;
    let registries = settings(dir.path());
    let error = registries.login(host, "user", "wrong-one".into(), true).await;
    let error = error.unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("registry {host} denied access: 401 Unauthorized")),
        "{error}"
    );
    assert!(
        !error.contains("wrong-one") && !error.contains("no credentials"),
        "{error}"
    );
    assert_eq!(registries.logins().await.unwrap(), []);
    assert!(!dir.path().join("root/credentials.json").exists());

    registries
        .login(host, "user", "secret".into(), true)
        .await
        .unwrap();
    let logins = registries.logins().await.unwrap();
    assert_eq!(
        (logins[0].id.as_str(), logins[0].username.as_str()),
        (host.as_str(), "user")
    );
    registries.logout(host).await.unwrap();
    registries.logout(host).await.unwrap();
    assert_eq!(registries.logins().await.unwrap(), []);

    let error = registries.login("a/b", "user", "secret".into(), true).await;
    assert_eq!(error.unwrap_err().to_string(), "invalid host a/b");
}

#[tokio::test]
async fn a_login_gets_a_token_for_no_repository() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&small_layout(&dir.path().join("layout"))).await;
    server.set_auth(Auth::Tokens {
        uses: 10,
        password: true,
    });
    let registries = settings(dir.path());
    let error = registries.login(&server.host, "user", "no".into(), true).await;
    let error = error.unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "registry {} denied access: 401 Unauthorized (wrong password)",
            server.host
        )
    );
    // A registry that is starting up is waited for.
    server.fault("/token", Fault::Status("503 Service Unavailable", ""), 9);
    registries
        .login(&server.host, "user", "secret".into(), true)
        .await
        .unwrap();
    assert_eq!(server.requests("scope="), 0);
    assert_eq!(registries.logins().await.unwrap().len(), 1);

    server.fault(
        "/token",
        Fault::Status("429 Too Many Requests", "retry-after: 3600\r\n"),
        1,
    );
    let error = registries
        .login(&server.host, "user", "secret".into(), true)
        .await;
    assert_eq!(
        error.unwrap_err().to_string(),
        format!(
            "registry {} answered the request for a token with 429 Too Many Requests, to be tried again in 3600 seconds",
            server.host
        ),
        "an hour is not waited"
    );
}

#[tokio::test]
async fn credentials_are_looked_for_in_order() {
    let registry = Registry::start(true);
    let host = &registry.host;
    let scratch = tempfile::tempdir().unwrap();
    let layout = small_layout(&scratch.path().join("layout"));
    registry.push(
        &format!("oci:{}:example.com/app:1", layout.dir.display()),
        "app:1",
    );
    let reference = registry.reference("app:1");
    let config = scratch.path().join("config.json");
    let write = |text: serde_json::Value| fs::write(&config, text.to_string()).unwrap();

    // Docker's file, here with `user:secret`.
    write(json!({"auths": {host: {"auth": "dXNlcjpzZWNyZXQ="}}}));
    Store::new(settings(scratch.path()))
        .pull(&reference, None)
        .await
        .unwrap();
    // A stored login comes before it, even a bad one.
    let registries = settings(scratch.path());
    registries
        .secrets
        .as_ref()
        .unwrap()
        .set(host, "user", &"bad".into())
        .unwrap();
    let store = Store::new(registries.clone());
    let error = store.pull(&reference, None).await.unwrap_err().to_string();
    assert!(error.contains("denied access to app: 401"), "{error}");
    // The environment comes before both.
    let credentials = Credentials {
        host: host.clone(),
        user: "user".into(),
        secret: "secret".into(),
    };
    let registries = Registries {
        credentials: Some(credentials),
        ..registries
    };
    Store::new(registries.clone())
        .pull(&reference, None)
        .await
        .unwrap();
    registries.logout(host).await.unwrap();

    // What cannot be read is passed over, and named when nothing else helps.
    fs::write(&config, "hunter2").unwrap();
    let store = Store::new(settings(scratch.path()));
    let error = store.pull(&reference, None).await.unwrap_err().to_string();
    let end = format!(
        ", no credentials found for host {host} ({}: malformed at line 1, column 1)",
        config.display()
    );
    assert!(error.ends_with(&end), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn identity_tokens_are_exchanged() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&small_layout(&dir.path().join("layout"))).await;
    server.set_auth(Auth::IdentityTokens);
    let reference = format!("{}/app:1", server.host).parse().unwrap();
    let host = &server.host;
    let config = json!({"auths": {host: {"auth": "dXNlcjpzZWNyZXQ=", "identitytoken": "refresh-me"}}});
    fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
    Store::new(settings(dir.path()))
        .pull(&reference, None)
        .await
        .unwrap();
    let config = json!({"auths": {host: {"identitytoken": "stale"}}});
    fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
    let store = Store::new(settings(dir.path()));
    let error = store.pull(&reference, None).await.unwrap_err().to_string();
    assert_eq!(
        error,
        format!("registry {host} denied access to app: 401 Unauthorized (wrong password)")
    );
}

#[tokio::test]
async fn identity_tokens_are_no_passwords() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::start(true);
    let host = &registry.host;
    let config = json!({"auths": {host: {"identitytoken": "refresh-me"}}});
    fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
    let store = Store::new(settings(dir.path()));
    let error = store.pull(&registry.reference("app:1"), None).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "registry {host} denied access to app: it wants a password, and there is only an identity token for it"
        )
    );
}

#[tokio::test]
async fn credentials_do_not_follow_redirects() {
    let dir = tempfile::tempdir().unwrap();
    let layout = small_layout(&dir.path().join("layout"));
    let (server, elsewhere) = (Server::start(&layout).await, Server::start(&layout).await);
    server.set_auth(Auth::Tokens {
        uses: 100,
        password: true,
    });
    let manifest = fs::read(layout.dir.join("index.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let manifest = layout.path(manifest["manifests"][0]["digest"].as_str().unwrap());
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(manifest).unwrap()).unwrap();
    // Every layer is elsewhere, as with registries that have a content delivery network.
    for layer in manifest["layers"].as_array().unwrap() {
        let digest = layer["digest"].as_str().unwrap();
        let place = format!("location: http://{}/v2/app/blobs/{digest}\r\n", elsewhere.host);
        let redirect = Fault::Status("307 Temporary Redirect", place.leak());
        server.fault(digest, redirect, usize::MAX);
    }
    let registries = settings(dir.path());
    registries
        .login(&server.host, "user", "secret".into(), true)
        .await
        .unwrap();
    let reference = format!("{}/app:1", server.host).parse().unwrap();
    Store::new(registries).pull(&reference, None).await.unwrap();
    assert_eq!(elsewhere.requests("blobs"), 2);
    assert!(server.was_shown_credentials() && !elsewhere.was_shown_credentials());
}

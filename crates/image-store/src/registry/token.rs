//! Getting a token from a registry's token service (the distribution project's token specification).

use container_resource::Secret;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, RequestBuilder, StatusCode, Url};
use serde::Deserialize;

use super::connection::{Connection, refusal};
use super::error::RegistryError;
use super::identity::Identity;

/// The largest answer of a token service, in bytes. Tokens list what they are for, so that they can be long.
const MAX_ANSWER: usize = 1 << 20;

/// How this program names itself to token services.
const CLIENT_ID: &str = "container";

impl Connection {
    /// Gets a token from the service `realm`, for the registry that is called `service` there.
    ///
    /// # Errors
    ///
    /// The service refuses, cannot be reached, or sends something else than a token.
    pub(super) async fn token(
        &self,
        realm: &Url,
        service: Option<&str>,
        identity: Option<&Identity>,
    ) -> Result<Secret, RegistryError> {
        if realm.scheme() != "https" && self.is_encrypted() {
            // Whoever can read what goes there would have the password.
            return Err(self.malformed("users to a token service without https"));
        }
        let scopes = self.scopes();
        match self.token_for(realm, service, &scopes, identity).await {
            // Some services refuse everything when they refuse a part. What there is to read elsewhere only saves time.
            Err(RegistryError::Denied { .. }) if scopes.len() > 1 => {
                self.token_for(realm, service, &scopes[..1], identity).await
            }
            answered => answered,
        }
    }

    async fn token_for(
        &self,
        realm: &Url,
        service: Option<&str>,
        scopes: &[String],
        identity: Option<&Identity>,
    ) -> Result<Secret, RegistryError> {
        let build = |http: &Client| request(http, realm, service, scopes, identity);
        let mut response = self.send("a token", &mut 0, build).await?;
        let status = response.status();
        if !status.is_success() {
            let reason = refusal(response).await;
            return Err(match status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST => {
                    self.denied(reason).await
                }
                _ => RegistryError::Refused {
                    host: self.host.clone(),
                    status,
                    reason: format!("the request for a token with {reason}"),
                },
            });
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failed(&error))? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER {
                return Err(self.malformed("too long a token"));
            }
        }
        parse(&body)
            .ok_or_else(|| self.malformed("an answer to the request for a token that is not understood"))
    }
}

/// The request for a token. An identity token is exchanged for one, everything else is shown.
fn request(
    http: &Client,
    realm: &Url,
    service: Option<&str>,
    scopes: &[String],
    identity: Option<&Identity>,
) -> RequestBuilder {
    let service = service.map(|service| ("service", service));
    if let Some(Identity::RefreshToken(token)) = identity {
        let mut form = realm.clone();
        form.set_query(None);
        form.query_pairs_mut()
            .append_pair("grant_type", "refresh_token")
            .append_pair("client_id", CLIENT_ID)
            .append_pair("refresh_token", token.expose())
            .extend_pairs(service)
            .append_pair("scope", &scopes.join(" "));
        return http
            .post(realm.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.query().unwrap_or_default().to_owned());
    }
    let mut url = realm.clone();
    if service.is_some() || !scopes.is_empty() {
        url.query_pairs_mut()
            .extend_pairs(service)
            .extend_pairs(scopes.iter().map(|scope| ("scope", scope)));
    }
    match identity {
        Some(Identity::Password { user, secret }) => http.get(url).basic_auth(user, Some(secret.expose())),
        _ => http.get(url),
    }
}

/// The token in an answer, under either of its names.
fn parse(body: &[u8]) -> Option<Secret> {
    #[derive(Deserialize)]
    struct Answer {
        token: Option<Secret>,
        access_token: Option<Secret>,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    answer
        .token
        .or(answer.access_token)
        .filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::registry::{Access, Registries};

    #[test]
    fn tokens_have_two_names() {
        let token = |text: &str| parse(text.as_bytes()).map(|token| token.expose().to_owned());
        assert_eq!(
            token(r#"{"token": "a", "access_token": "b"}"#).as_deref(),
            Some("a")
        );
        assert_eq!(
            token(r#"{"access_token": "b", "expires_in": 60}"#).as_deref(),
            Some("b")
        );
        for text in [
            "",
            "{}",
            r#"{"token": ""}"#,
            r#"{"token": 1}"#,
            r#"{"token": null}"#,
        ] {
            assert_eq!(token(text), None, "{text}");
        }
    }

    #[test]
    fn identity_tokens_are_sent_in_the_body() {
        super::super::environment::install_crypto();
        let realm: Url = "https://auth.test/token?x=y".parse().unwrap();
        let scopes = ["repository:a:pull,push", "repository:b:pull"].map(str::to_owned);
        let token = Identity::RefreshToken("re fresh&".into());
        let sent = request(&Client::new(), &realm, Some("s"), &scopes, Some(&token))
            .build()
            .unwrap();
        assert_eq!((sent.method().as_str(), sent.url()), ("POST", &realm));
        assert_eq!(
            sent.body().and_then(|body| body.as_bytes()),
            Some(
                &b"grant_type=refresh_token&client_id=container&refresh_token=re+fresh%26&service=s&scope=repository%3Aa%3Apull%2Cpush+repository%3Ab%3Apull"[..]
            )
        );
        let sent = request(&Client::new(), &realm, Some("s"), &scopes, None)
            .build()
            .unwrap();
        assert_eq!(
            sent.url().as_str(),
            "https://auth.test/token?x=y&service=s&scope=repository%3Aa%3Apull%2Cpush&scope=repository%3Ab%3Apull"
        );
        assert!(!sent.headers().contains_key("authorization"));
        let sent = request(&Client::new(), &realm, None, &[], None).build().unwrap();
        assert_eq!(sent.url(), &realm, "a login");
    }

    fn pushing(insecure: bool) -> Connection {
        let settings = Registries::default();
        let reference = "a.test/own:1".parse().unwrap();
        Connection::new(&settings, &reference, insecure, Access::Push)
            .unwrap()
            .also_reading(std::iter::once("other".to_owned()))
    }

    #[tokio::test]
    async fn nothing_goes_to_a_service_that_others_can_listen_to() {
        let realm = "http://auth.test/token".parse().unwrap();
        let error = pushing(false).token(&realm, None, None).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "registry a.test sent users to a token service without https"
        );
    }

    #[tokio::test]
    async fn what_is_refused_as_a_whole_is_asked_for_in_part() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let realm = format!("http://{}/token", listener.local_addr().unwrap());
        let serve = async {
            let mut asked = Vec::new();
            for answer in [
                "403 Forbidden\r\ncontent-length: 0",
                "200 OK\r\ncontent-length: 13",
            ] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 4096];
                let length = stream.read(&mut request).await.unwrap();
                let request = String::from_utf8_lossy(&request[..length]);
                asked.push(request.matches("scope=").count());
                let body = if asked.len() == 2 { r#"{"token":"t"}"# } else { "" };
                let answer = format!("HTTP/1.1 {answer}\r\nconnection: close\r\n\r\n{body}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            asked
        };
        let connection = pushing(true);
        let realm = realm.parse().unwrap();
        let (token, asked) = tokio::join!(connection.token(&realm, None, None), serve);
        assert_eq!(token.unwrap().expose(), "t");
        assert_eq!(asked, [2, 1]);
    }
}

//! What a registry wants to see: its `WWW-Authenticate` headers (OCI distribution specification; RFC 9110, 11.6.1).

use reqwest::Url;
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// How a registry wants to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// With name and password.
    Basic,
    /// With a token that a token service gives.
    Bearer {
        /// The token service.
        realm: Url,
        /// What the registry calls itself there.
        service: Option<String>,
    },
}

impl Challenge {
    /// The best of the challenges that an answer has; none when it has none that is understood.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let texts = headers.get_all(WWW_AUTHENTICATE).iter();
        let challenges: Vec<Self> = texts
            .filter_map(|value| value.to_str().ok())
            .flat_map(parse)
            .collect();
        let bearer = challenges.iter().find(|challenge| **challenge != Self::Basic);
        bearer.or(challenges.first()).cloned()
    }
}

/// The challenges of one header that are understood, up to the first mistake.
fn parse(text: &str) -> Vec<Challenge> {
    let parser = http_auth::parser::ChallengeParser::new(text);
    let challenges = parser.map_while(Result::ok);
    challenges
        .filter_map(|challenge| {
            let parameter = |name: &str| {
                let mut parameters = challenge.params.iter();
                let found = parameters.find(|(key, _)| key.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value.to_unescaped())
            };
            if challenge.scheme.eq_ignore_ascii_case("basic") {
                return Some(Challenge::Basic);
            }
            if !challenge.scheme.eq_ignore_ascii_case("bearer") {
                return None;
            }
            let realm: Url = parameter("realm")?.parse().ok()?;
            matches!(realm.scheme(), "http" | "https").then(|| Challenge::Bearer {
                realm,
                service: parameter("service").filter(|service| !service.is_empty()),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn of(values: &[&str]) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_str(value).unwrap());
        }
        Challenge::of(&headers)
    }

    fn bearer(realm: &str, service: Option<&str>) -> Option<Challenge> {
        Some(Challenge::Bearer {
            realm: realm.parse().unwrap(),
            service: service.map(str::to_owned),
        })
    }

    #[test]
    fn challenges() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull""#;
        assert_eq!(
            of(&[hub]),
            bearer("https://auth.docker.io/token", Some("registry.docker.io"))
        );
        assert_eq!(of(&[r#"Basic realm="x""#]), Some(Challenge::Basic));
        assert_eq!(
            of(&["basic"]),
            Some(Challenge::Basic),
            "without what it has to have"
        );
        let both = r#"Basic realm="x", bearer realm="http://t/?a=b", error="invalid_token""#;
        assert_eq!(of(&[both]), bearer("http://t/?a=b", None));
        assert_eq!(of(&[r#"Basic realm="x""#, hub]), of(&[hub]));
    }

    #[test]
    fn what_is_not_understood() {
        for text in [
            "",
            "Negotiate",
            "Bearer",
            r#"Bearer service="x""#,
            r#"Bearer realm="not a url""#,
            r#"Bearer realm="file:///etc/passwd""#,
            r#"Bearer realm=""#,
            ",,,",
        ] {
            assert_eq!(of(&[text]), None, "{text}");
        }
        assert_eq!(of(&[]), None);
    }
}

//! What of its starter's environment a service gets.

use std::collections::BTreeMap;
use std::ffi::OsString;

use container_ipc::unix::LISTENER_VARIABLE;

/// What passes besides `CONTAINER_…` (behaviour.md 24.4), in upper and in lower case: proxies, certificates, and what
/// finding other programs, the user's own files and the programs that keep the user's credentials takes.
const INHERITED: [&str; 13] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "HOME",
    "PATH",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "DOCKER_CONFIG",
];

/// The part of the environment `own` that is handed down to services. What is not text is left out.
pub fn inherited_environment(
    own: impl IntoIterator<Item = (OsString, OsString)>,
) -> BTreeMap<String, String> {
    let passes = |name: &str| {
        name != LISTENER_VARIABLE
            && (name.starts_with("CONTAINER_") || INHERITED.contains(&name.to_ascii_uppercase().as_str()))
    };
    own.into_iter()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| passes(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_handed_down() {
        let own = [
            ("CONTAINER_DEBUG", "1"),
            ("CONTAINER_LISTEN_FDS", "1"),
            ("https_proxy", "http://p"),
            ("No_Proxy", "x"),
            ("SSL_CERT_FILE", "/ca.pem"),
            ("HOME", "/h"),
            ("PATH", "/bin"),
            ("SECRET", "s"),
            ("MY_CONTAINER_X", "y"),
        ];
        let given = inherited_environment(own.map(|(name, value)| (name.into(), value.into())));
        let names: Vec<&str> = given.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "CONTAINER_DEBUG",
                "HOME",
                "No_Proxy",
                "PATH",
                "SSL_CERT_FILE",
                "https_proxy"
            ]
        );
        assert_eq!(given["https_proxy"], "http://p");
    }
}

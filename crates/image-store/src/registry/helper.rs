//! Docker's credential helpers: programs that keep credentials in whatever the system has for them.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use container_resource::Secret;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;

use super::identity::Identity;

/// How long a helper may take. Some ask the user, but nobody sees what a service's helper asks.
const DEADLINE: Duration = Duration::from_secs(15);

/// The most that a helper may print, in bytes.
const MAX_OUTPUT: u64 = 64 << 10;

/// What helpers print when they have nothing.
const NOTHING: &str = "credentials not found in native keychain";

/// The user name with which a helper says that the secret is an identity token.
const TOKEN_USER: &str = "<token>";

/// Asks `docker-credential-<name>` what it has for `server`.
///
/// # Errors
///
/// It is missing, fails, or takes too long. The text has nothing of what it printed, which may be a secret.
pub(super) async fn get(name: &str, server: &str) -> Result<Option<Identity>, String> {
    let program = format!("docker-credential-{name}");
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(plain) {
        return Err(format!("{program:?} is not the name of a credential helper"));
    }
    ask(&program, server, DEADLINE).await
}

async fn ask(program: &str, server: &str, deadline: Duration) -> Result<Option<Identity>, String> {
    let answered = timeout(deadline, run(program, server)).await;
    let (status, output) = answered
        .map_err(|_| format!("{program} did not answer within {} seconds", deadline.as_secs()))?
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => format!("{program} is not in the PATH of the image service"),
            _ => format!("{program}: {error}"),
        })?;
    if !status.success() {
        return match std::str::from_utf8(&output) {
            Ok(text) if text.trim() == NOTHING => Ok(None),
            _ => Err(format!("{program} failed: {status}")),
        };
    }
    // The parser's own message could quote what was printed.
    parse(&output).map_err(|_| format!("{program} printed something else than credentials"))
}

async fn run(program: &str, server: &str) -> io::Result<(ExitStatus, Vec<u8>)> {
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        match input.write_all(format!("{server}\n").as_bytes()).await {
            // A helper that does not read its input may still have an answer.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
            _ => {}
        }
    }
    let mut output = Vec::new();
    if let Some(pipe) = child.stdout.take() {
        pipe.take(MAX_OUTPUT + 1).read_to_end(&mut output).await?;
    }
    if output.len() as u64 > MAX_OUTPUT {
        return Err(io::Error::other("it printed too much"));
    }
    Ok((child.wait().await?, output))
}

/// What a helper printed; an empty secret is none.
fn parse(output: &[u8]) -> serde_json::Result<Option<Identity>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        username: String,
        secret: Secret,
    }
    let Answer { username, secret } = serde_json::from_slice(output)?;
    Ok(match username.as_str() {
        _ if secret.is_empty() => None,
        TOKEN_USER => Some(Identity::RefreshToken(secret)),
        _ => Some(Identity::Password {
            user: username,
            secret,
        }),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn answers() {
        let parsed = |text: &str| parse(text.as_bytes()).ok();
        assert_eq!(
            parsed(r#"{"ServerURL": "a", "Username": "me", "Secret": "s"}"#),
            Some(Some(Identity::Password {
                user: "me".to_owned(),
                secret: "s".into()
            }))
        );
        assert_eq!(
            parsed(r#"{"Username": "<token>", "Secret": "s"}"#),
            Some(Some(Identity::RefreshToken("s".into())))
        );
        assert_eq!(parsed(r#"{"Username": "", "Secret": ""}"#), Some(None));
        for text in ["", "secret", r#"{"Username": "me"}"#] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }

    /// Runs a script as a helper.
    async fn asked(script: &str) -> Result<Option<Identity>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("docker-credential-test");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        ask(path.to_str().unwrap(), "a.test:5000", Duration::from_secs(2)).await
    }

    #[tokio::test]
    async fn helpers_are_asked_and_not_trusted() {
        let answer = r#"read server; printf '{"ServerURL": "%s", "Username": "%s", "Secret": "s"}' "$server" "$1 $server""#;
        let identity = Identity::Password {
            user: "get a.test:5000".to_owned(),
            secret: "s".into(),
        };
        assert_eq!(asked(answer).await, Ok(Some(identity)));
        assert_eq!(asked(&format!("echo {NOTHING}; exit 1")).await, Ok(None));
        for (script, end) in [
            ("echo hunter2; exit 3", " failed: exit status: 3"),
            ("echo hunter2", " printed something else than credentials"),
            ("yes hunter2", ": it printed too much"),
            ("sleep 60", " did not answer within 2 seconds"),
        ] {
            let error = asked(script).await.unwrap_err();
            assert!(error.ends_with(end) && !error.contains("hunter2"), "{error}");
        }
    }

    #[tokio::test]
    async fn helpers_are_programs_in_the_path() {
        for name in ["", "../x", "a/b", "a b"] {
            let error = get(name, "a.test").await.unwrap_err();
            assert!(
                error.contains("is not the name of a credential helper"),
                "{error}"
            );
        }
        assert_eq!(
            get("no-such-helper", "a.test").await.unwrap_err(),
            "docker-credential-no-such-helper is not in the PATH of the image service"
        );
    }
}

//! `commit --change`: one instruction of a Dockerfile.

use container_ipc::Error;
use container_resource::commit::ConfigurationChange;

use super::{health, invalid};

/// Parses an instruction. `CMD` and `ENTRYPOINT` take a JSON list of words, or a line for the shell.
///
/// # Errors
/// An instruction that does not change the configuration, or without a value.
pub fn parse(text: &str) -> Result<ConfigurationChange, Error> {
    let (name, value) = text
        .trim()
        .split_once(char::is_whitespace)
        .unwrap_or((text.trim(), ""));
    let value = value.trim();
    if value.is_empty() {
        return invalid(format!("invalid change '{text}': expected <instruction> <value>"));
    }
    let pair = || match value.split_once('=') {
        Some((key, value)) if !key.is_empty() && !key.contains(char::is_whitespace) => {
            Ok((key.to_owned(), unquoted(value).to_owned()))
        }
        _ => invalid(format!("invalid change '{text}': expected <key>=<value>")),
    };
    Ok(match name.to_ascii_uppercase().as_str() {
        "CMD" => ConfigurationChange::Cmd(words(value)),
        "ENTRYPOINT" => ConfigurationChange::Entrypoint(words(value)),
        "ENV" => {
            let (key, value) = pair()?;
            ConfigurationChange::Env(key, value)
        }
        "LABEL" => {
            let (key, value) = pair()?;
            ConfigurationChange::Label(unquoted(&key).to_owned(), value)
        }
        "HEALTHCHECK" => ConfigurationChange::HealthCheck(health::instruction(value)?),
        "EXPOSE" => ConfigurationChange::Expose(port(value)?),
        "STOPSIGNAL" => ConfigurationChange::StopSignal(value.to_owned()),
        "USER" => ConfigurationChange::User(value.to_owned()),
        "VOLUME" => ConfigurationChange::Volume(value.to_owned()),
        "WORKDIR" => ConfigurationChange::Workdir(value.to_owned()),
        _ => {
            return invalid(format!(
                "invalid change '{text}': expected one of CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, \
                 STOPSIGNAL, USER, VOLUME, WORKDIR"
            ));
        }
    })
}

fn words(value: &str) -> Vec<String> {
    serde_json::from_str(value).unwrap_or_else(|_| ["/bin/sh", "-c", value].map(str::to_owned).into())
}

fn unquoted(value: &str) -> &str {
    let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    inner.unwrap_or(value)
}

fn port(value: &str) -> Result<String, Error> {
    let (number, protocol) = value.split_once('/').unwrap_or((value, "tcp"));
    let valid =
        number.parse::<u16>().is_ok_and(|number| number > 0) && matches!(protocol, "tcp" | "udp" | "sctp");
    if !valid {
        return invalid(format!(
            "invalid port '{value}': expected <port>[/tcp|/udp|/sctp]"
        ));
    }
    Ok(format!("{number}/{protocol}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions() {
        let parsed = |text: &str| parse(text).map_err(|error| error.to_string());
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let cmd = ConfigurationChange::Cmd(words(&["top", "-b"]));
        assert_eq!(parsed(r#"CMD ["top", "-b"]"#), Ok(cmd));
        let shell = ConfigurationChange::Entrypoint(words(&["/bin/sh", "-c", "exec app $X"]));
        assert_eq!(parsed("entrypoint exec app $X"), Ok(shell));
        let env = ConfigurationChange::Env("A".into(), "b c=d".into());
        assert_eq!(parsed(r#"ENV A="b c=d""#), Ok(env));
        assert_eq!(
            parsed("EXPOSE 80"),
            Ok(ConfigurationChange::Expose("80/tcp".into()))
        );
        assert_eq!(
            parsed("USER 1000:1000"),
            Ok(ConfigurationChange::User("1000:1000".into()))
        );
        for wrong in [
            "RUN true",
            "CMD",
            "ENV A",
            "ENV =b",
            "EXPOSE http",
            "EXPOSE 80/x",
            "",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}

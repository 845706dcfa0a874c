//! Whether a container is started again when it ends: `no`, `on-failure[:<retries>]`, `always` or `unless-stopped`.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// When a container is started again by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestartPolicy {
    /// After which ends.
    pub mode: RestartMode,
    /// How often in a row, absent means for ever.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub maximum_retries: Option<u32>,
}

/// After which ends a container is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartMode {
    /// When its process failed.
    OnFailure,
    /// Always, and when the system starts even if the user stopped it.
    Always,
    /// Always, unless the user stopped it.
    UnlessStopped,
}

/// A text that is no restart policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid restart policy '{0}': must be no, on-failure[:<retries>], always, or unless-stopped")]
pub struct InvalidRestartPolicy(String);

impl RestartPolicy {
    /// Reads a policy; `no` is none.
    ///
    /// # Errors
    /// The text is something else.
    pub fn parse(text: &str) -> Result<Option<Self>, InvalidRestartPolicy> {
        if text == "no" {
            return Ok(None);
        }
        text.parse().map(Some)
    }

    /// Whether a container that ended by itself with `exit_code`, after `retries` restarts in a row, is started again.
    pub fn restarts(&self, exit_code: i32, retries: u32) -> bool {
        let wanted = self.mode != RestartMode::OnFailure || exit_code != 0;
        wanted && self.maximum_retries.is_none_or(|most| retries < most)
    }

    /// Whether a container that does not run is started when the system starts. `stopped` tells whether the user stopped
    /// it.
    pub fn starts_with_system(&self, exit_code: i32, stopped: bool) -> bool {
        match self.mode {
            RestartMode::Always => true,
            RestartMode::UnlessStopped => !stopped,
            RestartMode::OnFailure => !stopped && exit_code != 0,
        }
    }
}

impl FromStr for RestartPolicy {
    type Err = InvalidRestartPolicy;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let policy = |mode| Self {
            mode,
            maximum_retries: None,
        };
        match (text, text.strip_prefix("on-failure:").map(str::parse)) {
            ("on-failure", _) => Ok(policy(RestartMode::OnFailure)),
            ("always", _) => Ok(policy(RestartMode::Always)),
            ("unless-stopped", _) => Ok(policy(RestartMode::UnlessStopped)),
            (_, Some(Ok(retries))) => Ok(Self {
                mode: RestartMode::OnFailure,
                maximum_retries: Some(retries),
            }),
            _ => Err(InvalidRestartPolicy(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(text: &str) -> RestartPolicy {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn reads_the_four_policies() {
        assert_eq!(RestartPolicy::parse("no"), Ok(None));
        assert_eq!(policy("always").mode, RestartMode::Always);
        assert_eq!(policy("unless-stopped").mode, RestartMode::UnlessStopped);
        assert_eq!(policy("on-failure").maximum_retries, None);
        assert_eq!(policy("on-failure:3").maximum_retries, Some(3));
        for text in [
            "",
            "never",
            "always:3",
            "on-failure:",
            "on-failure:-1",
            "on-failure:x",
        ] {
            assert!(RestartPolicy::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ends_and_starts() {
        assert!(policy("always").restarts(0, 1000));
        assert!(!policy("on-failure").restarts(0, 0));
        assert!(policy("on-failure:2").restarts(1, 1));
        assert!(!policy("on-failure:2").restarts(1, 2));
        assert!(policy("always").starts_with_system(0, true));
        assert!(!policy("unless-stopped").starts_with_system(0, true));
        assert!(policy("unless-stopped").starts_with_system(0, false));
        assert!(!policy("on-failure").starts_with_system(0, false));
    }
}

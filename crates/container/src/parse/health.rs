//! Health checks: the options' and the image's (`Healthcheck` in the configuration, Docker's addition to OCI's).

use std::time::Duration;

use container_ipc::Error;
use container_resource::health::HealthCheck;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{invalid, moment};
use crate::flags::health::HealthFlags;

/// Between two runs, and the limit of one, when nothing else is said.
const INTERVAL: Duration = Duration::from_secs(30);
/// Between two runs while failures do not count.
const START_INTERVAL: Duration = Duration::from_secs(5);
/// Failures in a row when nothing else is said.
const RETRIES: u32 = 3;

/// What an image says; times in nanoseconds, 0 for nothing.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageHealthCheck {
    test: Vec<String>,
    interval: u64,
    timeout: u64,
    start_period: u64,
    start_interval: u64,
    retries: u32,
}

/// What the options say.
#[derive(Debug)]
pub struct Options {
    command: Option<String>,
    interval: Option<Duration>,
    timeout: Option<Duration>,
    start_period: Option<Duration>,
    start_interval: Option<Duration>,
    retries: Option<u32>,
    disabled: bool,
}

impl Options {
    /// Checks the options.
    ///
    /// # Errors
    /// A duration is none, or nothing where it must be something.
    pub fn parse(flags: &HealthFlags) -> Result<Self, Error> {
        let duration = |option: &str, text: &Option<String>, least: Duration| {
            let Some(text) = text else { return Ok(None) };
            match moment::duration(text).filter(|duration| *duration >= least) {
                None => invalid(format!(
                    "invalid duration '{text}' for {option}: expected one such as 30s or 1m30s"
                )),
                duration => Ok(duration),
            }
        };
        let millisecond = Duration::from_millis(1);
        if flags.health_retries == Some(0) {
            return invalid("invalid count '0' for --health-retries: expected at least 1");
        }
        if flags
            .health_cmd
            .as_ref()
            .is_some_and(|command| command.trim().is_empty())
        {
            return invalid("--health-cmd is empty: use --no-healthcheck to have none");
        }
        Ok(Self {
            command: flags.health_cmd.clone(),
            interval: duration("--health-interval", &flags.health_interval, millisecond)?,
            timeout: duration("--health-timeout", &flags.health_timeout, millisecond)?,
            start_period: duration(
                "--health-start-period",
                &flags.health_start_period,
                Duration::ZERO,
            )?,
            start_interval: duration(
                "--health-start-interval",
                &flags.health_start_interval,
                millisecond,
            )?,
            retries: flags.health_retries,
            disabled: flags.no_healthcheck,
        })
    }

    /// The options in front of what the image says.
    ///
    /// # Errors
    /// There are options and nothing that they are about.
    pub fn on_top_of(self, image: Option<ImageHealthCheck>) -> Result<Option<HealthCheck>, Error> {
        if self.disabled {
            return Ok(None);
        }
        let image = image.unwrap_or_default();
        let shell = |line: &str| ["/bin/sh", "-c", line].map(str::to_owned).into();
        let of_image = image
            .test
            .split_first()
            .map(|(kind, words)| (kind.as_str(), words));
        let command = match (&self.command, of_image) {
            (Some(line), _) => shell(line),
            (None, Some(("CMD", words))) if !words.is_empty() => words.to_vec(),
            (None, Some(("CMD-SHELL", [line, ..]))) => shell(line),
            (None, _) => {
                let durations = [
                    self.interval,
                    self.timeout,
                    self.start_period,
                    self.start_interval,
                ];
                if durations.iter().any(Option::is_some) || self.retries.is_some() {
                    return invalid("the image has no health check: say what to run with --health-cmd");
                }
                return Ok(None);
            }
        };
        let milliseconds = |option: Option<Duration>, image: u64, otherwise: Duration| {
            let image = Some(Duration::from_nanos(image)).filter(|image| !image.is_zero());
            let duration = option.or(image).unwrap_or(otherwise);
            u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
        };
        let of_image = Some(image.retries).filter(|retries| *retries > 0);
        Ok(Some(HealthCheck {
            command,
            interval_in_milliseconds: milliseconds(self.interval, image.interval, INTERVAL),
            timeout_in_milliseconds: milliseconds(self.timeout, image.timeout, INTERVAL),
            start_period_in_milliseconds: milliseconds(self.start_period, image.start_period, Duration::ZERO),
            start_interval_in_milliseconds: milliseconds(
                self.start_interval,
                image.start_interval,
                START_INTERVAL,
            ),
            retries: self.retries.or(of_image).unwrap_or(RETRIES),
        }))
    }
}

/// What follows `HEALTHCHECK` in a Dockerfile, as images have it: `[--<option>=<value> …] CMD <command>`, or `NONE`.
///
/// # Errors
/// It is something else.
pub fn instruction(text: &str) -> Result<Value, Error> {
    let wrong = |what: &str| Error::invalid_argument(format!("invalid health check '{text}': {what}"));
    let mut check = ImageHealthCheck::default();
    let mut rest = text.trim();
    while let Some(option) = rest.strip_prefix("--") {
        let (option, after) = option.split_once(char::is_whitespace).unwrap_or((option, ""));
        let (name, value) = option
            .split_once('=')
            .ok_or_else(|| wrong("an option has no value"))?;
        let nanoseconds = || {
            let duration =
                moment::duration(value).and_then(|duration| u64::try_from(duration.as_nanos()).ok());
            duration.ok_or_else(|| wrong("expected a duration such as 30s"))
        };
        match name {
            "interval" => check.interval = nanoseconds()?,
            "timeout" => check.timeout = nanoseconds()?,
            "start-period" => check.start_period = nanoseconds()?,
            "start-interval" => check.start_interval = nanoseconds()?,
            "retries" => check.retries = value.parse().map_err(|_| wrong("expected a number of retries"))?,
            _ => return Err(wrong("it has an unknown option")),
        }
        rest = after.trim_start();
    }
    let (kind, command) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    check.test = match (kind.to_ascii_uppercase().as_str(), command.trim()) {
        ("NONE", "") => vec!["NONE".to_owned()],
        ("CMD", command) if !command.is_empty() => match serde_json::from_str::<Vec<String>>(command) {
            Ok(words) => ["CMD".to_owned()].into_iter().chain(words).collect(),
            Err(_) => vec!["CMD-SHELL".to_owned(), command.to_owned()],
        },
        _ => return Err(wrong("expected CMD <command> or NONE")),
    };
    serde_json::to_value(check).map_err(|error| wrong(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(change: impl FnOnce(&mut HealthFlags), image: &str) -> Result<Option<HealthCheck>, Error> {
        let mut flags = HealthFlags {
            health_cmd: None,
            health_interval: None,
            health_retries: None,
            health_start_interval: None,
            health_start_period: None,
            health_timeout: None,
            no_healthcheck: false,
        };
        change(&mut flags);
        Options::parse(&flags)?.on_top_of(serde_json::from_str(image).ok())
    }

    #[test]
    fn options_go_before_the_image() {
        let image = r#"{"Test":["CMD-SHELL","test -e /x"],"Interval":2000000000,"Retries":7}"#;
        let check = resolved(|_| {}, image).unwrap().unwrap();
        assert_eq!(check.command, ["/bin/sh", "-c", "test -e /x"]);
        assert_eq!((check.interval_in_milliseconds, check.retries), (2000, 7));
        assert_eq!(
            (check.timeout_in_milliseconds, check.start_period_in_milliseconds),
            (30_000, 0)
        );
        let check = resolved(
            |flags| {
                flags.health_cmd = Some("true".to_owned());
                flags.health_interval = Some("1m30s".to_owned());
                flags.health_retries = Some(1);
                flags.health_start_interval = Some("300ms".to_owned());
            },
            image,
        );
        let check = check.unwrap().unwrap();
        assert_eq!(check.command, ["/bin/sh", "-c", "true"]);
        assert_eq!((check.interval_in_milliseconds, check.retries), (90_000, 1));
        assert_eq!(check.start_interval_in_milliseconds, 300);
        assert_eq!(
            resolved(|flags| flags.no_healthcheck = true, image).unwrap(),
            None
        );
        let exec = resolved(|_| {}, r#"{"Test":["CMD","/probe","-x"]}"#)
            .unwrap()
            .unwrap();
        assert_eq!(exec.command, ["/probe", "-x"]);
        assert_eq!(resolved(|_| {}, r#"{"Test":["NONE"]}"#).unwrap(), None);
    }

    #[test]
    fn instructions_of_dockerfiles() {
        let check = instruction(r#"--interval=1s --retries=2 CMD ["/probe", "x"]"#).unwrap();
        assert_eq!(
            (&check["Interval"], &check["Retries"]),
            (&1_000_000_000_u64.into(), &2.into())
        );
        assert_eq!(check["Test"], serde_json::json!(["CMD", "/probe", "x"]));
        assert_eq!(
            instruction("cmd test -e /x").unwrap()["Test"],
            serde_json::json!(["CMD-SHELL", "test -e /x"])
        );
        assert_eq!(instruction("NONE").unwrap()["Test"], serde_json::json!(["NONE"]));
        for wrong in [
            "",
            "CMD",
            "RUN x",
            "--interval CMD x",
            "--color=red CMD x",
            "--retries=x CMD x",
        ] {
            assert!(instruction(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for change in [
            (|flags| flags.health_interval = Some("0s".to_owned())) as fn(&mut HealthFlags),
            |flags| flags.health_timeout = Some("soon".to_owned()),
            |flags| flags.health_retries = Some(0),
            |flags| flags.health_cmd = Some(" ".to_owned()),
            |flags| flags.health_retries = Some(3),
            |flags| flags.health_start_interval = Some("1s".to_owned()),
        ] {
            assert!(resolved(change, "null").is_err());
        }
    }
}

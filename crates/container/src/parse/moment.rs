//! Points in time that options name: `2026-08-08T10:11:12Z`, seconds since 1970, or how long ago (`90s`, `1h30m`).

use std::time::Duration;

use container_ipc::Error;
use container_resource::time::Timestamp;

use super::invalid;

/// Reads a point in time; durations count back from `now`.
///
/// # Errors
/// The text is none of these.
pub fn parse(option: &str, text: &str, now: Timestamp) -> Result<Timestamp, Error> {
    let ago = || now.checked_sub(duration(text)?).ok();
    let seconds = || {
        let seconds = Duration::try_from_secs_f64(text.parse().ok()?).ok()?;
        Timestamp::UNIX_EPOCH.checked_add(seconds).ok()
    };
    let moment = text.parse().ok().or_else(seconds).or_else(ago);
    moment.map_or_else(
        || {
            invalid(format!(
                "invalid time '{text}' for {option}: expected a date and time such as 2026-08-08T10:11:12Z, seconds since \
                 1970, or a duration such as 1h30m"
            ))
        },
        Ok,
    )
}

/// Whole numbers with a unit, one after the other.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..unit_at].parse().ok()?;
        let (unit, after) = ["ms", "s", "m", "h", "d"]
            .into_iter()
            .find_map(|unit| Some((unit, rest[unit_at..].strip_prefix(unit)?)))?;
        let amount = match unit {
            "ms" => Duration::from_millis(number),
            "s" => Duration::from_secs(number),
            "m" => Duration::from_secs(number.checked_mul(60)?),
            "h" => Duration::from_secs(number.checked_mul(3600)?),
            _ => Duration::from_secs(number.checked_mul(86400)?),
        };
        total = total.checked_add(amount)?;
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<String> {
        let now = Timestamp::from_second(1_786_183_872).ok()?;
        parse("--since", text, now).ok().map(|moment| moment.to_string())
    }

    #[test]
    fn three_ways_to_say_when() {
        let cases = [
            ("2026-08-08T10:11:12Z", "2026-08-08T10:11:12Z"),
            ("2026-08-08T12:11:12.5+02:00", "2026-08-08T10:11:12.5Z"),
            ("0", "1970-01-01T00:00:00Z"),
            ("1786183872.25", "2026-08-08T10:11:12.25Z"),
            ("10m", "2026-08-08T10:01:12Z"),
            ("1h30m2s", "2026-08-08T08:41:10Z"),
            ("2d", "2026-08-06T10:11:12Z"),
            ("500ms", "2026-08-08T10:11:11.5Z"),
        ];
        for (text, want) in cases {
            assert_eq!(parsed(text).as_deref(), Some(want), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "yesterday",
            "10",
            "10x",
            "m",
            "-5m",
            "1h 30m",
            "99999999999999999d",
            "1e300",
        ] {
            let seconds = text == "10";
            assert_eq!(parsed(text).is_some(), seconds, "{text}");
        }
    }
}

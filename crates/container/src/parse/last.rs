//! `system logs --last` (behaviour.md 23.4).

use std::time::Duration;

use container_ipc::Error;

use super::invalid;

/// A positive number of seconds, or with the suffix `m`, `h` or `d` of minutes, hours or days.
///
/// # Errors
/// The text is something else, or more than a duration can hold.
pub fn parse(text: &str) -> Result<Duration, Error> {
    let (number, unit) = match text.chars().last() {
        Some('m') => (&text[..text.len() - 1], 60),
        Some('h') => (&text[..text.len() - 1], 3600),
        Some('d') => (&text[..text.len() - 1], 86_400),
        _ => (text, 1),
    };
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let seconds = number.parse::<u64>().ok().filter(|number| digits && *number > 0);
    match seconds.and_then(|seconds| seconds.checked_mul(unit)) {
        Some(seconds) => Ok(Duration::from_secs(seconds)),
        None => invalid(format!(
            "invalid --last value '{text}': expected a positive integer (seconds) or a value with suffix m, h, or d \
             (e.g. 30, 5m, 1h, 2d)"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_minutes_hours_days() {
        let seconds = |text| parse(text).map(|duration| duration.as_secs()).ok();
        assert_eq!(
            [seconds("30"), seconds("5m"), seconds("1h"), seconds("2d")],
            [Some(30), Some(300), Some(3600), Some(172_800)]
        );
        for text in [
            "",
            "0",
            "-1",
            "m",
            "5x",
            "1.5h",
            "+3",
            "99999999999999999d",
            "5 m",
            "5µ",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}

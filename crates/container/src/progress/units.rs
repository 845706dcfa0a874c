//! Sizes and times as the progress line shows them.

const UNITS: [&str; 6] = ["KB", "MB", "GB", "TB", "PB", "EB"];

/// Bytes in binary units under the familiar names: `Zero KB`, `512 bytes`, `12 KB`, `3.4 MB`, `1.25 GB`.
#[allow(clippy::cast_precision_loss, reason = "three significant digits are shown")]
pub(super) fn size(bytes: i64) -> String {
    match bytes {
        ..=0 => return "Zero KB".to_owned(),
        1 => return "1 byte".to_owned(),
        2..1024 => return format!("{bytes} bytes"),
        _ => {}
    }
    let mut scaled = bytes as f64 / 1024.0;
    let mut unit = 0;
    while scaled >= 1023.5 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    let decimals = match unit {
        0 => 0,
        1 => usize::from(scaled < 100.0),
        _ => [2, 1, 0][usize::from(scaled >= 10.0) + usize::from(scaled >= 100.0)],
    };
    format!("{scaled:.decimals$} {}", UNITS[unit])
}

/// `12.3/40.0 MB`: the unit once when both have the same.
pub(super) fn size_of(done: i64, total: i64) -> String {
    let (done, total) = (size(done), size(total));
    match (done.rsplit_once(' '), total.rsplit_once(' ')) {
        (Some((number, unit)), Some((_, other))) if unit == other => format!("{number}/{total}"),
        _ => format!("{done}/{total}"),
    }
}

/// `3s`, `1m 3s`, `1h 2m 3s`.
pub(super) fn time(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m {seconds}s"),
        _ => format!("{hours}h {minutes}m {seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let cases = [
            (0, "Zero KB"),
            (1, "1 byte"),
            (1023, "1023 bytes"),
            (1024, "1 KB"),
            (12 << 20, "12.0 MB"),
            (300 << 20, "300 MB"),
            (1 << 30, "1.00 GB"),
            ((1 << 20) - 1, "1.0 MB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text, "{bytes}");
        }
        assert_eq!(size_of(12_897_485, 41_943_040), "12.3/40.0 MB");
        assert_eq!(size_of(10_240, 41_943_040), "10 KB/40.0 MB");
    }

    #[test]
    fn times() {
        assert_eq!([time(3), time(63), time(3723)], ["3s", "1m 3s", "1h 2m 3s"]);
    }
}

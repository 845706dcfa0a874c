//! Points in time as users see them: ISO 8601 in UTC, whole seconds (`2026-08-08T10:11:12Z`).

pub use jiff::Timestamp;

/// The current time, cut to whole seconds so that it prints without a fraction.
pub fn now() -> Timestamp {
    whole_seconds(Timestamp::now())
}

/// `time` without its fraction of a second.
pub fn whole_seconds(time: Timestamp) -> Timestamp {
    // Every whole second that a timestamp can hold is itself a timestamp.
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_without_a_fraction() {
        let time = Timestamp::from_millisecond(1_786_183_872_250).unwrap_or_default();
        assert_eq!(whole_seconds(time).to_string(), "2026-08-08T10:11:12Z");
        assert!(now().to_string().ends_with('Z'));
        assert!(!now().to_string().contains('.'));
    }
}

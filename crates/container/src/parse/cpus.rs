//! `--cpus`: processors of a container, which need not be whole.

use container_ipc::Error;

use super::invalid;

/// Microseconds of processor time that one processor has in 100 milliseconds.
const PERIOD: f64 = 100_000.0;
/// The most processors; more than any virtual machine has.
const MOST: f64 = 4096.0;

/// The number of virtual processors and, when it is not whole, the time that may be used of them in microseconds per 100
/// milliseconds.
///
/// # Errors
/// The number is not positive.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the numbers are positive and small"
)]
pub fn parse(cpus: f64) -> Result<(u32, Option<u64>), Error> {
    let quota = cpus * PERIOD;
    // The kernel takes no less than a millisecond.
    if !(1000.0..=MOST * PERIOD).contains(&quota) {
        return invalid(format!(
            "invalid CPU count '{cpus}'. Must be a positive integer (e.g., 4)."
        ));
    }
    let whole = cpus.fract() == 0.0;
    Ok((cpus.ceil() as u32, (!whole).then_some(quota as u64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_processors_are_times() {
        assert_eq!(parse(4.0), Ok((4, None)));
        assert_eq!(parse(1.5), Ok((2, Some(150_000))));
        assert_eq!(parse(0.25), Ok((1, Some(25_000))));
        for bad in [0.0, -1.0, 0.001, f64::NAN, f64::INFINITY, 1e9] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        let text = parse(-1.0).map_err(|error| error.to_string());
        assert_eq!(
            text,
            Err("invalid CPU count '-1'. Must be a positive integer (e.g., 4).".to_owned())
        );
    }
}

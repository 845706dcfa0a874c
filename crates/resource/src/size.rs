//! Sizes: what users may write (behaviour reference, section 8) and how sizes are printed (section 3).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A size as users write it: a number and a binary unit, kept as given. It is a ceiling that a virtual machine's
/// memory grows up to; nothing is given back before the machine stops.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MemorySize {
    value: f64,
    unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Bytes,
    Kib,
    Mib,
    Gib,
    Tib,
    Pib,
}

impl Unit {
    fn bytes(self) -> u64 {
        match self {
            Self::Bytes => 1,
            Self::Kib => bytesize::KIB,
            Self::Mib => bytesize::MIB,
            Self::Gib => bytesize::GIB,
            Self::Tib => bytesize::TIB,
            Self::Pib => bytesize::PIB,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Bytes => "b",
            Self::Kib => "kb",
            Self::Mib => "mb",
            Self::Gib => "gb",
            Self::Tib => "tb",
            Self::Pib => "pb",
        }
    }
}

/// A text that is not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSize {
    /// The number is missing or malformed.
    #[error("invalid size")]
    Number,
    /// The unit is not one of `b k m g t p` with an optional `b` or `ib`.
    #[error("invalid symbol: {0}")]
    Unit(String),
}

impl MemorySize {
    /// A whole number of gibibytes.
    pub const fn gib(value: u32) -> Self {
        Self {
            value: value as f64,
            unit: Unit::Gib,
        }
    }

    /// A whole number of mebibytes.
    pub const fn mib(value: u32) -> Self {
        Self {
            value: value as f64,
            unit: Unit::Mib,
        }
    }

    /// The size in bytes, fractions cut off.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "the number is not negative, and saturating at the ends is what is wanted"
    )]
    pub fn bytes(self) -> u64 {
        (self.value * self.unit.bytes() as f64) as u64
    }

    /// The size cut down to whole mebibytes, in bytes: what `--memory` means.
    pub fn bytes_in_whole_mib(self) -> u64 {
        self.bytes() / bytesize::MIB * bytesize::MIB
    }
}

impl FromStr for MemorySize {
    type Err = InvalidSize;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim().to_lowercase();
        let split = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let unit = unit.trim();
        let value: f64 = number.parse().map_err(|_| InvalidSize::Number)?;
        let mut letters = unit.chars();
        let parsed = match letters.next() {
            None | Some('b') => Some(Unit::Bytes),
            Some('k') => Some(Unit::Kib),
            Some('m') => Some(Unit::Mib),
            Some('g') => Some(Unit::Gib),
            Some('t') => Some(Unit::Tib),
            Some('p') => Some(Unit::Pib),
            Some(_) => None,
        };
        match (parsed, letters.as_str()) {
            (Some(unit), "" | "b" | "ib") => Ok(Self { value, unit }),
            _ => Err(InvalidSize::Unit(unit.to_owned())),
        }
    }
}

impl fmt::Display for MemorySize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.value.trunc(), self.unit.name())
    }
}

impl Serialize for MemorySize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MemorySize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Bytes for people, in decimal units as macOS counts files: `Zero KB`, `999 bytes`, `1 KB`, `12.3 MB`, `1.23 GB`.
/// KB has no decimals, MB one and larger units two, at most; trailing zeros are dropped.
#[allow(clippy::cast_precision_loss, reason = "three significant digits are printed")]
pub fn file_size(bytes: u64) -> String {
    const UNITS: [(&str, u64, usize); 5] = [
        ("KB", bytesize::KB, 0),
        ("MB", bytesize::MB, 1),
        ("GB", bytesize::GB, 2),
        ("TB", bytesize::TB, 2),
        ("PB", bytesize::PB, 2),
    ];
    match bytes {
        0 => return "Zero KB".to_owned(),
        1 => return "1 byte".to_owned(),
        2..1000 => return format!("{bytes} bytes"),
        _ => {}
    }
    for (index, (name, unit, decimals)) in UNITS.into_iter().enumerate() {
        let scaled = bytes as f64 / unit as f64;
        // Three significant digits: 123 MB, not 123.4 MB.
        let decimals = decimals.min(if scaled >= 100.0 {
            0
        } else {
            usize::from(scaled < 10.0) + 1
        });
        let text = format!("{scaled:.decimals$}");
        let last = index + 1 == UNITS.len();
        if last || text.parse::<f64>().is_ok_and(|rounded| rounded < 1000.0) {
            let text = if decimals > 0 {
                text.trim_end_matches('0').trim_end_matches('.')
            } else {
                &text
            };
            return format!("{text} {name}");
        }
    }
    unreachable!("the last unit always returns")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mib(text: &str) -> Result<u64, String> {
        let size: Result<MemorySize, _> = text.parse();
        size.map(|size| size.bytes_in_whole_mib() / bytesize::MIB)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn units_are_binary_and_forgiving() {
        for text in ["1k", "1kb", "1kib", "1K", "1KiB", " 1 k "] {
            assert_eq!(
                text.parse::<MemorySize>().map(MemorySize::bytes),
                Ok(1024),
                "{text}"
            );
        }
        assert_eq!("5bb".parse::<MemorySize>().map(MemorySize::bytes), Ok(5));
        assert_eq!(".5g".parse::<MemorySize>().map(MemorySize::bytes), Ok(512 << 20));
        assert_eq!("5.".parse::<MemorySize>().map(MemorySize::bytes), Ok(5));
        assert_eq!(mib("1.5g"), Ok(1536));
        assert_eq!(mib("512"), Ok(0));
        assert_eq!(mib("1000k"), Ok(0));
    }

    #[test]
    fn errors_are_apples() {
        for text in ["", "-1", "1.2.3", "g"] {
            assert_eq!(mib(text), Err("invalid size".to_owned()), "{text}");
        }
        assert_eq!(mib("1x"), Err("invalid symbol: x".to_owned()));
        assert_eq!(mib("1kx"), Err("invalid symbol: kx".to_owned()));
    }

    #[test]
    fn prints_normalised() {
        assert_eq!(
            "2048MiB".parse::<MemorySize>().map(|size| size.to_string()),
            Ok("2048mb".to_owned())
        );
        assert_eq!(
            "1.5g".parse::<MemorySize>().map(|size| size.to_string()),
            Ok("1gb".to_owned())
        );
    }

    #[test]
    fn file_sizes_follow_the_file_style() {
        let cases = [
            (0, "Zero KB"),
            (999, "999 bytes"),
            (1000, "1 KB"),
            (12_345_678, "12.3 MB"),
            (1_230_000_000, "1.23 GB"),
            (999_999, "1 MB"),
            (5_000_000, "5 MB"),
            (123_456_789, "123 MB"),
            (20_500_000_000, "20.5 GB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(file_size(bytes), text);
        }
    }
}

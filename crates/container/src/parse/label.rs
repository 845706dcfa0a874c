//! `--label` of containers (behaviour.md 9.8).

use std::collections::BTreeMap;

use container_ipc::Error;

use super::invalid;

/// Keys and values; a later one replaces an earlier one. The first `=` splits, so a value may contain another one.
///
/// # Errors
/// A label is empty.
pub fn parse(labels: &[String]) -> Result<BTreeMap<String, String>, Error> {
    let mut parsed = BTreeMap::new();
    for label in labels {
        let (key, value) = match label.split_once('=') {
            // Apple's splitting drops empty parts: `=v` is the key `v`.
            Some(("", value)) => (value, ""),
            Some(pair) => pair,
            None => (label.as_str(), ""),
        };
        if label.is_empty() {
            return invalid("label cannot be an empty string");
        }
        if key.is_empty() {
            return invalid(format!("invalid label format {label}"));
        }
        parsed.insert(key.to_owned(), value.to_owned());
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(label: &str) -> Result<(String, String), String> {
        let parsed = parse(&[label.to_owned()]).map_err(|error| error.to_string())?;
        parsed.into_iter().next().ok_or_else(|| "nothing".to_owned())
    }

    fn pair(key: &str, value: &str) -> Result<(String, String), String> {
        Ok((key.to_owned(), value.to_owned()))
    }

    #[test]
    fn keys_with_and_without_values() {
        assert_eq!(one("a"), pair("a", ""));
        assert_eq!(one("a="), pair("a", ""));
        assert_eq!(one("a=b"), pair("a", "b"));
        assert_eq!(one("a=b=c"), pair("a", "b=c"));
        assert_eq!(one("=v"), pair("v", ""));
    }

    #[test]
    fn nothing_is_no_label() {
        assert_eq!(one(""), Err("label cannot be an empty string".to_owned()));
        assert_eq!(one("="), Err("invalid label format =".to_owned()));
    }
}

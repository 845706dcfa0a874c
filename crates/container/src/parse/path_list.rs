//! `--masked-path`, `--read-only-path` (behaviour.md 9.13).

use container_ipc::Error;

use super::invalid;

/// The word that empties the list so far, the defaults included.
const NONE: &str = "NONE";

/// `defaults` changed by the values of `option` (its name is for messages), in order.
///
/// # Errors
/// A path is relative.
pub fn parse(defaults: &[&str], values: &[String], option: &str) -> Result<Vec<String>, Error> {
    let mut paths: Vec<String> = defaults.iter().map(|path| (*path).to_owned()).collect();
    for value in values {
        if value.eq_ignore_ascii_case(NONE) {
            paths.clear();
            continue;
        }
        if !value.starts_with('/') {
            return invalid(format!(
                "invalid path '{value}' for {option}: path must be absolute, or the NONE sentinel"
            ));
        }
        let trimmed = value.trim_end_matches('/');
        let path = if trimmed.is_empty() { "/" } else { trimmed };
        if !paths.iter().any(|known| known == path) {
            paths.push(path.to_owned());
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(values: &[&str]) -> Result<Vec<String>, String> {
        let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        parse(&["/proc/kcore"], &values, "--masked-path").map_err(|error| error.to_string())
    }

    #[test]
    fn paths_are_added_once_and_none_empties() {
        assert_eq!(
            parsed(&["/a/", "/a", "/proc/kcore"]),
            Ok(vec!["/proc/kcore".to_owned(), "/a".to_owned()])
        );
        assert_eq!(parsed(&["/a", "none", "/b"]), Ok(vec!["/b".to_owned()]));
        assert_eq!(parsed(&["NONE"]), Ok(vec![]));
        assert_eq!(
            parsed(&["a"]),
            Err("invalid path 'a' for --masked-path: path must be absolute, or the NONE sentinel".to_owned())
        );
    }
}

//! Labels of networks (behaviour reference, 9.8).

use std::collections::BTreeMap;

/// Characters in a key.
const KEY_LIMIT: usize = 128;
/// Characters in a whole label, `key=value`.
const LABEL_LIMIT: usize = 4096;

/// Why a label is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// The key has another form.
    #[error(
        "invalid label key '{0}': must be lower-case words of letters, digits and '-', joined by '.', '/' or '_'"
    )]
    Key(String),
    /// The key is too long.
    #[error("label key '{0}' is longer than {KEY_LIMIT} characters")]
    KeyTooLong(String),
    /// Key and value are too long.
    #[error("label '{0}' is longer than {LABEL_LIMIT} characters")]
    TooLong(String),
}

/// Checks labels: keys of at most 128 characters in lower-case words that dots (and slashes) separate, 4096 characters
/// for a whole label.
///
/// # Errors
/// One of them is not.
pub fn check(labels: &BTreeMap<String, String>) -> Result<(), LabelError> {
    for (key, value) in labels {
        if key.len() > KEY_LIMIT {
            return Err(LabelError::KeyTooLong(key.clone()));
        }
        if !key.split(['.', '/', '_']).all(is_word) {
            return Err(LabelError::Key(key.clone()));
        }
        if key.len() + 1 + value.len() > LABEL_LIMIT {
            return Err(LabelError::TooLong(key.clone()));
        }
    }
    Ok(())
}

fn is_word(word: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    !word.is_empty()
        && word.bytes().all(|b| plain(b) || b == b'-')
        && !word.starts_with('-')
        && !word.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_words_with_dots() {
        let check = |key: &str, value: &str| check(&BTreeMap::from([(key.to_owned(), value.to_owned())]));
        for key in [
            "a",
            "com.example/role",
            "com.apple.container.resource.role",
            "a-b.c1",
            &"a".repeat(128),
        ] {
            assert_eq!(check(key, "Any value = at all"), Ok(()), "{key}");
        }
        for key in ["", "A", "a b", "-a", "a..b", "a.", "/a", &"a".repeat(129)] {
            assert!(check(key, "").is_err(), "{key}");
        }
        assert_eq!(check("a", &"v".repeat(4094)), Ok(()));
        assert!(check("a", &"v".repeat(4095)).is_err());
    }
}

//! The names users give (behaviour reference, section 10).

/// Whether `id` can name a container: two to 63 letters, digits, `_`, `.` and `-`, a letter or digit first.
pub fn is_container_id(id: &str) -> bool {
    (2..=63).contains(&id.len()) && starts_alphanumeric(id) && id.bytes().all(is_word)
}

/// What a volume's name must match, as messages say it.
pub const VOLUME_NAME_PATTERN: &str = "^[A-Za-z0-9][A-Za-z0-9_.-]*$";

/// Whether `name` can name a volume: up to 255 letters, digits, `_`, `.` and `-`, a letter or digit first.
pub fn is_volume_name(name: &str) -> bool {
    name.len() <= 255 && starts_alphanumeric(name) && name.bytes().all(is_word)
}

/// Whether `name` can name a network: up to 63 lower-case letters, digits, `.`, `_` and `-`, a letter or digit at
/// both ends, and not the word `none`.
pub fn is_network_name(name: &str) -> bool {
    let end = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    name != "none"
        && (1..=63).contains(&name.len())
        && name.bytes().all(|b| end(b) || matches!(b, b'.' | b'_' | b'-'))
        && name.bytes().next().is_some_and(end)
        && name.bytes().next_back().is_some_and(end)
}

/// A new random id: a lower-case UUID.
pub fn random_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn starts_alphanumeric(text: &str) -> bool {
    text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn container_ids() {
        for id in ["ab", "A-b_c.d", "0x", &"a".repeat(63), &random_id()] {
            assert!(is_container_id(id), "{id}");
        }
        for id in ["", "a", "-ab", ".ab", "a b", "a/b", "ä1", "..", &"a".repeat(64)] {
            assert!(!is_container_id(id), "{id}");
        }
    }

    #[test]
    fn network_names() {
        assert!(is_network_name("a"));
        assert!(is_network_name("web_1.test"));
        for name in ["", "none", "Web", "web-", "-web", &"a".repeat(64)] {
            assert!(!is_network_name(name), "{name}");
        }
    }

    #[test]
    fn volume_names() {
        assert!(is_volume_name("a"));
        assert!(!is_volume_name("_a"));
        assert!(!is_volume_name(&"a".repeat(256)));
    }
}

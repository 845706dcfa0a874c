//! What a domain is.

/// Whether `text` is a domain: labels of letters, digits, hyphens and underscores, joined by dots.
pub(super) fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    text.len() <= 253 && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains() {
        for text in ["test", "a.b.c", "x-1.y_2", "A"] {
            assert!(is_domain(text), "{text}");
        }
        let long = "a".repeat(64);
        for text in [
            "",
            ".",
            "a.",
            "../x",
            "a/b",
            "-a",
            "a-",
            "a b",
            "a\nport 53",
            "ü",
            &long,
        ] {
            assert!(!is_domain(text), "{text}");
        }
    }
}

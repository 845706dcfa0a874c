//! `--label`, `--opt` and `--option` of networks and volumes: the first `=` splits, a bare word has the value `""`
//! (behaviour.md 9.8).

use std::collections::BTreeMap;

/// Keys and values; a later one replaces an earlier one.
pub fn parse(words: &[String]) -> BTreeMap<String, String> {
    words
        .iter()
        .map(|word| word.split_once('=').unwrap_or((word, "")))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sign_splits() {
        let words = ["a=b=c".to_owned(), "bare".to_owned(), "a=2".to_owned()];
        let pairs: Vec<_> = parse(&words).into_iter().collect();
        assert_eq!(
            pairs,
            [
                ("a".to_owned(), "2".to_owned()),
                ("bare".to_owned(), String::new())
            ]
        );
    }
}

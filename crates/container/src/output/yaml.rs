//! YAML with the keys in the order in which the types declare them (behaviour.md 3).

use serde::Serialize;

/// One document; ends with a newline.
pub fn encode(value: &impl Serialize) -> String {
    // By way of a value tree, because an enumeration directly in YAML would become a tag.
    let mut value = super::to_value(value);
    super::drop_nulls(&mut value);
    // A tree of JSON values always has a YAML form.
    serde_norway::to_string(&value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    enum Kind {
        Tmpfs {},
    }

    #[derive(Serialize)]
    struct Item {
        zebra: u32,
        apple: Option<u32>,
        kind: Kind,
        list: Vec<String>,
    }

    #[test]
    fn keys_keep_their_order_and_enumerations_are_maps() {
        let items = [Item {
            zebra: 1,
            apple: None,
            kind: Kind::Tmpfs {},
            list: vec!["true".into(), "a b".into()],
        }];
        assert_eq!(
            encode(&items),
            "- zebra: 1\n  kind:\n    tmpfs: {}\n  list:\n  - 'true'\n  - a b\n"
        );
    }

    #[test]
    fn nothing_is_an_empty_list() {
        assert_eq!(encode(&json!([])), "[]\n");
    }

    #[test]
    fn dates_are_plain() {
        assert_eq!(
            encode(&json!({"d": "2026-08-08T10:11:12Z"})),
            "d: 2026-08-08T10:11:12Z\n"
        );
    }
}

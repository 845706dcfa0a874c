//! TOML with sorted keys; a list is wrapped, because a document is a table (behaviour.md 3).

use serde::Serialize;
use serde_json::Value;
use toml::{Table, Value as Toml};

/// One document; ends with a newline unless it is empty.
pub fn encode(value: &impl Serialize) -> String {
    let mut value = super::to_value(value);
    super::drop_nulls(&mut value);
    let table = match convert(value) {
        Toml::Table(table) => table,
        list => Table::from_iter([("items".to_owned(), list)]),
    };
    // A table of TOML values always has a text.
    toml::to_string(&table).unwrap_or_default()
}

fn convert(value: Value) -> Toml {
    match value {
        Value::Null => Toml::String(String::new()),
        Value::Bool(value) => Toml::Boolean(value),
        // Integers beyond the signed range have no other form in TOML than text.
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => Toml::Integer(integer),
            (None, Some(integer)) => Toml::String(integer.to_string()),
            (None, None) => Toml::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Toml::String(text),
        Value::Array(values) => Toml::Array(values.into_iter().map(convert).collect()),
        Value::Object(fields) => Toml::Table(
            fields
                .into_iter()
                .map(|(key, value)| (key, convert(value)))
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_are_wrapped_and_keys_sorted() {
        assert_eq!(encode(&json!([])), "items = []\n");
        assert_eq!(encode(&json!(["a", "b"])), "items = [\"a\", \"b\"]\n");
        let items = json!([{"id": "x", "status": {"state": "running"}, "cpus": 4, "none": null}]);
        assert_eq!(
            encode(&items),
            "[[items]]\ncpus = 4\nid = \"x\"\n\n[items.status]\nstate = \"running\"\n"
        );
    }

    #[test]
    fn unlimited_is_text() {
        assert_eq!(
            encode(&json!({"soft": u64::MAX})),
            "soft = \"18446744073709551615\"\n"
        );
    }
}

//! JSON as Apple's Foundation writes it: sorted keys, escaped slashes, `"key" : value` when pretty (behaviour.md 3).

use serde::Serialize;
use serde_json::Value;

/// One line: `{"a":1,"b":["x"]}`.
pub fn compact(value: &impl Serialize) -> String {
    let mut writer = Writer {
        text: String::new(),
        indent: None,
    };
    writer.value(&super::to_value(value));
    writer.text
}

/// Two blanks per level, blanks around colons, nothing between the brackets of an empty array or object but line
/// breaks.
pub fn pretty(value: &impl Serialize) -> String {
    let mut writer = Writer {
        text: String::new(),
        indent: Some(0),
    };
    writer.value(&super::to_value(value));
    writer.text
}

struct Writer {
    text: String,
    /// Nesting depth when pretty.
    indent: Option<usize>,
}

impl Writer {
    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.text.push_str("null"),
            Value::Bool(value) => self.text.push_str(if *value { "true" } else { "false" }),
            Value::Number(number) => self.number(number),
            Value::String(text) => self.string(text),
            Value::Array(values) => self.sequence(('[', ']'), values, |writer, value| writer.value(value)),
            Value::Object(fields) => {
                let mut fields: Vec<_> = fields.iter().filter(|(_, value)| !value.is_null()).collect();
                fields.sort_by_key(|(key, _)| *key);
                self.sequence(('{', '}'), &fields, |writer, (key, value)| {
                    writer.string(key);
                    writer
                        .text
                        .push_str(if writer.indent.is_some() { " : " } else { ":" });
                    writer.value(value);
                });
            }
        }
    }

    fn sequence<T>(&mut self, (open, close): (char, char), items: &[T], each: impl Fn(&mut Self, &T)) {
        self.text.push(open);
        self.indent = self.indent.map(|depth| depth + 1);
        if self.indent.is_some() && items.is_empty() {
            self.text.push('\n');
        }
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            self.new_line();
            each(self, item);
        }
        self.indent = self.indent.map(|depth| depth - 1);
        self.new_line();
        self.text.push(close);
    }

    fn new_line(&mut self) {
        if let Some(depth) = self.indent {
            self.text.push('\n');
            self.text.push_str(&"  ".repeat(depth));
        }
    }

    /// Foundation knows one kind of number: `1.0` is written `1`.
    fn number(&mut self, number: &serde_json::Number) {
        let text = number.to_string();
        self.text.push_str(text.strip_suffix(".0").unwrap_or(&text));
    }

    fn string(&mut self, text: &str) {
        self.text.push('"');
        for c in text.chars() {
            match c {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '/' => self.text.push_str("\\/"),
                '\u{8}' => self.text.push_str("\\b"),
                '\u{c}' => self.text.push_str("\\f"),
                '\n' => self.text.push_str("\\n"),
                '\r' => self.text.push_str("\\r"),
                '\t' => self.text.push_str("\\t"),
                c if u32::from(c) < 0x20 => self.text.push_str(&format!("\\u{:04x}", u32::from(c))),
                c => self.text.push(c),
            }
        }
        self.text.push('"');
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn compact_sorts_escapes_and_leaves_out_nothing_values() {
        let value = json!({"b": "a/b", "a": [1, 2.0, 1.5, true], "c": null, "ü": "é\u{1}\n\"\\"});
        assert_eq!(
            compact(&value),
            r#"{"a":[1,2,1.5,true],"b":"a\/b","ü":"é\u0001\n\"\\"}"#
        );
        assert_eq!(compact(&json!([])), "[]");
    }

    #[test]
    fn pretty_has_foundations_blanks() {
        let value = json!([{"z": {}, "a": [], "list": ["x", {"k": 1}]}]);
        assert_eq!(
            pretty(&value),
            "[\n  {\n    \"a\" : [\n\n    ],\n    \"list\" : [\n      \"x\",\n      {\n        \"k\" : 1\n      }\n    ],\n    \
             \"z\" : {\n\n    }\n  }\n]"
        );
        assert_eq!(pretty(&json!([])), "[\n\n]");
        assert_eq!(pretty(&json!({})), "{\n\n}");
    }

    #[test]
    fn upper_case_keys_come_before_lower_case_ones() {
        assert_eq!(
            compact(&json!({"config": 1, "Cmd": 2})),
            r#"{"Cmd":2,"config":1}"#
        );
    }
}

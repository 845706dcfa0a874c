//! The listing commands: one payload in four formats, or names alone (behaviour.md 3).

use serde::Serialize;

use super::{json, table, toml, yaml};
use crate::flags::values::ListFormat;

/// Something that has a row in a table.
pub trait Row {
    /// Headers of the columns.
    const HEADER: &'static [&'static str];

    /// The cells, one per column.
    fn cells(&self) -> Vec<String>;
}

/// The text for a list. `names` is set by `--quiet`, which matters for tables only; without items it leaves nothing.
pub fn encode<R: Row>(
    payload: &impl Serialize,
    rows: &[R],
    names: Option<&[String]>,
    format: ListFormat,
) -> String {
    match (format, names) {
        (ListFormat::Table, Some(names)) => names.iter().map(|name| format!("{name}\n")).collect(),
        (ListFormat::Table, None) => {
            table::encode(R::HEADER, &rows.iter().map(Row::cells).collect::<Vec<_>>())
        }
        (format, _) => document(payload, format),
    }
}

/// The text for a value that is not a list of resources; `rows` is its table.
pub fn document_or_table<R: Row>(payload: &impl Serialize, rows: &[R], format: ListFormat) -> String {
    encode(payload, rows, None, format)
}

fn document(payload: &impl Serialize, format: ListFormat) -> String {
    match format {
        ListFormat::Json | ListFormat::Table => json::compact(payload) + "\n",
        // The encoder ends the document with a newline, and printing adds another.
        ListFormat::Yaml => yaml::encode(payload) + "\n",
        ListFormat::Toml => toml::encode(payload),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Thing {
        id: String,
    }

    impl Row for Thing {
        const HEADER: &'static [&'static str] = &["ID"];

        fn cells(&self) -> Vec<String> {
            vec![self.id.clone()]
        }
    }

    fn things(ids: &[&str]) -> (Vec<Thing>, Vec<String>) {
        let names: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        (names.iter().map(|id| Thing { id: id.clone() }).collect(), names)
    }

    #[test]
    fn quiet_is_for_tables_only() {
        let (rows, names) = things(&["a", "b"]);
        assert_eq!(encode(&rows, &rows, Some(&names), ListFormat::Table), "a\nb\n");
        assert_eq!(
            encode(&rows, &rows, Some(&names), ListFormat::Json),
            "[{\"id\":\"a\"},{\"id\":\"b\"}]\n"
        );
    }

    #[test]
    fn nothing() {
        let (rows, names) = things(&[]);
        assert_eq!(encode(&rows, &rows, Some(&names), ListFormat::Table), "");
        assert_eq!(encode(&rows, &rows, None, ListFormat::Table), "ID\n");
        assert_eq!(encode(&rows, &rows, None, ListFormat::Json), "[]\n");
        assert_eq!(encode(&rows, &rows, None, ListFormat::Yaml), "[]\n\n");
        assert_eq!(encode(&rows, &rows, None, ListFormat::Toml), "items = []\n");
    }
}

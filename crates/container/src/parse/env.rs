//! `--env`, `--env-file` and their merge with the image's environment (behaviour.md 9.7).
//!
//! Unlike in Apple's tool the result has an order: that of the first appearance of each variable. The same merge
//! serves `exec`, so that a variable is never there twice.

use container_ipc::Error;

use super::invalid;

/// An environment: the values of variables in the order of their first appearance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment(Vec<(String, String)>);

impl Environment {
    /// From `KEY=value` entries; entries without `=` are dropped.
    pub fn from_entries(entries: &[String]) -> Self {
        let mut environment = Self::default();
        for (key, value) in entries.iter().filter_map(|entry| entry.split_once('=')) {
            environment.set(key, value);
        }
        environment
    }

    /// Adds what an option says: `KEY=VALUE`, or `KEY` for the value that `lookup` knows, if any.
    pub fn add_option(&mut self, option: &str, lookup: impl Fn(&str) -> Option<String>) {
        match option.split_once('=') {
            Some((key, value)) => self.set(key, value),
            None => {
                if let Some(value) = lookup(option) {
                    self.set(option, &value);
                }
            }
        }
    }

    /// Adds the variables of a file; `path` is for messages.
    ///
    /// # Errors
    /// The bytes are no UTF-8, or a line has no variable name or one with blanks in it.
    pub fn add_file(
        &mut self,
        path: &str,
        bytes: &[u8],
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<(), Error> {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return invalid(format!("env file {path} contains invalid utf8 bytes"));
        };
        for line in text.lines() {
            let line = line.trim_start();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key = line.split_once('=').map_or(line, |(key, _)| key);
            if key.is_empty() {
                return invalid(format!("no variable name on line '{line}'"));
            }
            if key.contains(char::is_whitespace) {
                return invalid(format!("variable '{key}' contains whitespaces"));
            }
            self.add_option(line, &lookup);
        }
        Ok(())
    }

    /// The `KEY=value` entries of `base`, changed and continued by these variables.
    pub fn on_top_of(self, base: &[String]) -> Vec<String> {
        let mut merged = Self::from_entries(base);
        for (key, value) in &self.0 {
            merged.set(key, value);
        }
        merged.into_entries()
    }

    /// The `KEY=value` entries.
    pub fn into_entries(self) -> Vec<String> {
        self.0
            .into_iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect()
    }

    fn set(&mut self, key: &str, value: &str) {
        match self.0.iter_mut().find(|(known, _)| known == key) {
            Some((_, old)) => value.clone_into(old),
            None => self.0.push((key.to_owned(), value.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(key: &str) -> Option<String> {
        (key == "HOST").then(|| "here".to_owned())
    }

    fn file(text: &str) -> Result<Vec<String>, String> {
        let mut environment = Environment::default();
        let read = environment.add_file("f", text.as_bytes(), lookup);
        read.map(|()| environment.into_entries())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn later_sources_win_and_the_order_is_stable() {
        let image = ["PATH=/bin".to_owned(), "A=1".to_owned(), "broken".to_owned()];
        let mut environment = Environment::from_entries(&image);
        for option in ["B=2", "A=3=x", "HOST", "UNSET", "E="] {
            environment.add_option(option, lookup);
        }
        assert_eq!(
            environment.into_entries(),
            ["PATH=/bin", "A=3=x", "B=2", "HOST=here", "E="]
        );
    }

    #[test]
    fn a_base_keeps_its_order() {
        let mut flags = Environment::default();
        for option in ["NEW=1", "B=changed"] {
            flags.add_option(option, lookup);
        }
        let base = ["A=1".to_owned(), "B=2".to_owned(), "C=3".to_owned()];
        assert_eq!(flags.on_top_of(&base), ["A=1", "B=changed", "C=3", "NEW=1"]);
    }

    #[test]
    fn files_have_comments_and_inherited_variables() {
        let text = "# comment\n\n  A=1 \nHOST\nUNSET\nQ=\"q\"\r\nA=2";
        assert_eq!(
            file(text),
            Ok(vec![
                "A=2".to_owned(),
                "HOST=here".to_owned(),
                "Q=\"q\"".to_owned()
            ])
        );
    }

    #[test]
    fn files_are_checked() {
        assert_eq!(
            file("A B=1"),
            Err("variable 'A B' contains whitespaces".to_owned())
        );
        assert_eq!(file("=1"), Err("no variable name on line '=1'".to_owned()));
        let error = Environment::default()
            .add_file("f", &[0xff], lookup)
            .map_err(|error| error.to_string());
        assert_eq!(error, Err("env file f contains invalid utf8 bytes".to_owned()));
    }
}

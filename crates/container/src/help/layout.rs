//! Two columns of text.

use unicode_width::UnicodeWidthStr;

/// Column where descriptions start.
const DESCRIPTION_COLUMN: usize = 26;

/// A titled list of labels and descriptions.
#[derive(Debug)]
pub(super) struct Section {
    title: String,
    rows: Vec<(String, String)>,
}

impl Section {
    pub(super) fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            rows: Vec::new(),
        }
    }

    pub(super) fn title(&self) -> &str {
        &self.title
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn push(&mut self, label: String, description: String) {
        self.rows.push((label, description));
    }

    /// A blank line, the title, then one row per entry. A label too long for its column has a line of its own.
    pub(super) fn render(&self, width: usize) -> String {
        let mut text = format!("\n{}:\n", self.title);
        for (label, description) in &self.rows {
            let mut line = format!("  {label}");
            let room = width.saturating_sub(DESCRIPTION_COLUMN).max(20);
            for (index, piece) in wrap(description, room).into_iter().enumerate() {
                if index > 0 || line.width() + 2 > DESCRIPTION_COLUMN {
                    text.push_str(line.trim_end());
                    text.push('\n');
                    line.clear();
                }
                line.push_str(&" ".repeat(DESCRIPTION_COLUMN - line.width()));
                line.push_str(&piece);
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// `prefix` and the text, wrapped; further lines are indented by the width of the prefix. Ends with a newline.
pub(super) fn paragraph(prefix: &str, text: &str, width: usize) -> String {
    let indent = " ".repeat(prefix.width());
    let lines = wrap(text, width.saturating_sub(prefix.width()).max(20));
    let mut out = String::new();
    for (index, line) in lines.iter().enumerate() {
        out.push_str(if index == 0 { prefix } else { &indent });
        out.push_str(line);
        out.push('\n');
    }
    out
}

/// Greedy line breaking at blanks. Words longer than the width stay whole. At least one line.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.width() + 1 + word.width() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_labels_have_their_own_line() {
        let mut section = Section::new("OPTIONS");
        section.push("-a".to_owned(), "short".to_owned());
        section.push(
            "--a-very-long-option-name <value>".to_owned(),
            "one two three".to_owned(),
        );
        assert_eq!(
            section.render(34),
            "\nOPTIONS:\n  -a                      short\n  --a-very-long-option-name <value>\n\
             \x20                         one two three\n"
        );
    }

    #[test]
    fn wrapping_keeps_long_words_whole() {
        assert_eq!(wrap("aa bb cccccccc d", 5), ["aa bb", "cccccccc", "d"]);
        assert_eq!(wrap("", 5), [""]);
    }
}

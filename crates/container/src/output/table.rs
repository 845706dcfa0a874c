//! Columns for people (behaviour.md 3).

use unicode_segmentation::UnicodeSegmentation;

/// The header and the rows, each cell padded to the widest of its column and two more, the last column not at all.
/// Lines end with a newline.
pub fn encode(header: &[&str], rows: &[Vec<String>]) -> String {
    let widths: Vec<usize> = (0..header.len())
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(String::as_str);
            cells.chain([header[column]]).map(width).max().unwrap_or(0) + 2
        })
        .collect();
    let header = header.iter().map(|cell| (*cell).to_owned()).collect();
    let mut text = String::new();
    for row in [&header].into_iter().chain(rows) {
        let last = row.len().saturating_sub(1);
        for (index, cell) in row.iter().enumerate() {
            text.push_str(cell);
            if index < last {
                text.push_str(
                    &" ".repeat(
                        widths
                            .get(index)
                            .copied()
                            .unwrap_or(2)
                            .saturating_sub(width(cell)),
                    ),
                );
            }
        }
        text.push('\n');
    }
    text
}

/// What a reader takes for one character counts one.
fn width(text: &str) -> usize {
    text.graphemes(true).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_padded_except_in_the_last_column() {
        let rows = vec![
            vec!["web".to_owned(), "alpine:latest".to_owned(), "x".to_owned()],
            vec!["e\u{301}".to_owned(), String::new(), String::new()],
        ];
        assert_eq!(
            encode(&["ID", "IMAGE", "STATE"], &rows),
            "ID   IMAGE          STATE\nweb  alpine:latest  x\ne\u{301}                   \n"
        );
    }

    #[test]
    fn nothing_is_the_header_alone() {
        assert_eq!(encode(&["ID", "STATE"], &[]), "ID  STATE\n");
    }
}

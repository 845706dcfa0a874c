//! One line of progress.

use std::time::{Duration, Instant};

use unicode_width::UnicodeWidthStr;

use super::state::State;
use super::units;

const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const DONE: &str = "✔";

/// Sizes of a few blobs that arrive at once are only noise.
const SMALL: i64 = 1024 * 1024;

/// What a line looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Lines without a spinner.
    Plain,
    /// A line with a spinner.
    Ansi,
    /// The same with colours.
    Color,
}

impl Style {
    pub(super) fn is_plain(self) -> bool {
        self == Self::Plain
    }
}

/// What may be left out of a line that is too long, in this order.
#[derive(Clone, Copy)]
struct Parts {
    speed: bool,
    size: bool,
    details: bool,
    time: bool,
    description: bool,
}

/// The line, at most `width` columns wide as far as leaving parts out makes it so.
pub(super) fn line(
    state: &mut State,
    style: Style,
    iteration: usize,
    elapsed: Duration,
    width: usize,
) -> String {
    let speed = state.speed(Instant::now());
    let mut parts = Parts {
        speed: true,
        size: true,
        details: true,
        time: true,
        description: true,
    };
    for dropped in 0..=5 {
        match dropped {
            1 => parts.speed = false,
            2 => parts.size = false,
            3 => parts.details = false,
            4 => parts.time = false,
            5 => parts.description = false,
            _ => {}
        }
        let pieces = pieces(state, style, iteration, elapsed, speed, parts);
        let text = pieces
            .iter()
            .map(|(_, text)| text.as_str())
            .collect::<Vec<_>>()
            .join(" ");
        // The last column stays free: writing there would wrap the line on some terminals.
        if text.width() < width || dropped == 5 {
            return if style == Style::Color {
                colored(&pieces)
            } else {
                text
            };
        }
    }
    String::new()
}

/// SGR parameters and text of each element.
type Piece = (&'static str, String);

fn pieces(
    state: &State,
    style: Style,
    iteration: usize,
    elapsed: Duration,
    speed: i64,
    parts: Parts,
) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    if !style.is_plain() {
        let icon = if state.finished {
            DONE
        } else {
            SPINNER[iteration % SPINNER.len()]
        };
        pieces.push(("36", icon.to_owned()));
    }
    if state.total_tasks > 1 {
        pieces.push((
            "1",
            format!("[{}/{}]", state.tasks.min(state.total_tasks), state.total_tasks),
        ));
    }
    if parts.description {
        pieces.push(("", state.description.clone()));
        if !state.sub_description.is_empty() {
            pieces.push(("2", state.sub_description.clone()));
        }
    }
    let worth_showing = state.total_size.is_none_or(|total| total > SMALL);
    if let Some(percent) = state.percent().filter(|_| worth_showing) {
        pieces.push((
            "32",
            if state.finished {
                "100%".to_owned()
            } else {
                format!("{percent}%")
            },
        ));
    }
    let details = details(state, speed, worth_showing, parts);
    if parts.details && !details.is_empty() {
        pieces.push(("2", format!("({})", details.join(", "))));
    }
    if parts.time {
        pieces.push(("2", format!("[{}]", units::time(elapsed.as_secs()))));
    }
    pieces
}

/// `3 of 5 blobs`, `12.3/40.0 MB`, `3.2 MB/s`.
fn details(state: &State, speed: i64, worth_showing: bool, parts: Parts) -> Vec<String> {
    let mut details = Vec::new();
    if state.items > 0 {
        let name = if state.items_name.is_empty() {
            String::new()
        } else {
            format!(" {}", state.items_name)
        };
        details.push(match state.total_items {
            Some(total) if state.finished => format!("{total}{name}"),
            Some(total) => format!("{} of {total}{name}", state.items),
            None => format!("{}{name}", state.items),
        });
    }
    if state.size > 0 && worth_showing {
        if parts.size {
            details.push(match state.total_size {
                Some(total) if state.finished => units::size(total),
                Some(total) => units::size_of(state.size, total),
                None => units::size(state.size),
            });
        }
        if parts.speed && !state.finished {
            details.push(format!("{}/s", units::size(speed)));
        }
    }
    details
}

fn colored(pieces: &[Piece]) -> String {
    let paint = |(color, text): &Piece| match *color {
        "" => text.clone(),
        color => format!("\x1b[{color}m{text}\x1b[0m"),
    };
    pieces.iter().map(paint).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pulling() -> State {
        let mut state = State::new(6);
        state.step("Fetching image");
        state.items_name = "blobs".to_owned();
        (state.items, state.total_items) = (3, Some(5));
        (state.size, state.total_size) = (12_897_485, Some(41_943_040));
        state
    }

    fn shown(style: Style, width: usize) -> String {
        line(&mut pulling(), style, 0, Duration::from_secs(3), width)
    }

    #[test]
    fn plain_lines_have_no_spinner() {
        assert_eq!(
            shown(Style::Plain, usize::MAX),
            "[1/6] Fetching image 30% (3 of 5 blobs, 12.3/40.0 MB, Zero KB/s) [3s]"
        );
    }

    #[test]
    fn narrow_terminals_lose_the_details_first() {
        assert_eq!(
            shown(Style::Ansi, 80),
            "⠋ [1/6] Fetching image 30% (3 of 5 blobs, 12.3/40.0 MB, Zero KB/s) [3s]"
        );
        assert_eq!(
            shown(Style::Ansi, 65),
            "⠋ [1/6] Fetching image 30% (3 of 5 blobs, 12.3/40.0 MB) [3s]"
        );
        assert_eq!(
            shown(Style::Ansi, 50),
            "⠋ [1/6] Fetching image 30% (3 of 5 blobs) [3s]"
        );
        assert_eq!(shown(Style::Ansi, 35), "⠋ [1/6] Fetching image 30% [3s]");
        assert_eq!(shown(Style::Ansi, 30), "⠋ [1/6] Fetching image 30%");
        assert_eq!(shown(Style::Ansi, 10), "⠋ [1/6] 30%");
    }

    #[test]
    fn colours_do_not_count_as_width() {
        assert_eq!(
            shown(Style::Color, 35),
            "\x1b[36m⠋\x1b[0m \x1b[1m[1/6]\x1b[0m Fetching image \x1b[32m30%\x1b[0m \x1b[2m[3s]\x1b[0m"
        );
    }

    #[test]
    fn small_sizes_are_not_shown() {
        let mut state = State::new(1);
        state.step("Fetching image");
        (state.size, state.total_size) = (10, Some(1000));
        assert_eq!(
            line(&mut state, Style::Plain, 0, Duration::ZERO, 80),
            "Fetching image [0s]"
        );
    }

    #[test]
    fn the_last_line_has_totals() {
        let mut state = pulling();
        state.finish();
        assert_eq!(
            line(&mut state, Style::Ansi, 3, Duration::from_secs(63), 80),
            "✔ [6/6] Fetching image 100% (5 blobs, 40.0 MB) [1m 3s]"
        );
    }
}

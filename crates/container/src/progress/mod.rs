//! The progress display on standard error (behaviour.md 6).
//!
//! A command makes one [`Progress`], names its steps with [`Progress::step`] and hands [`Progress::sender`] to the
//! calls whose services report how far they are. A task redraws the line while the command waits for an answer.

mod render;
mod state;
mod units;

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use container_ipc::ProgressEvent;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::task::JoinHandle;

use crate::flags::values::ProgressKind;
use crate::terminal;
use render::{Style, line};
use state::State;

/// How often a terminal's line is redrawn.
const REDRAW: Duration = Duration::from_millis(40);

/// How often a plain line is written.
const PLAIN: Duration = Duration::from_secs(1);

/// How the progress of one command is shown.
#[derive(Debug)]
pub struct Progress {
    screen: Arc<Mutex<Screen>>,
    sender: Option<UnboundedSender<ProgressEvent>>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Screen {
    state: State,
    style: Option<Style>,
    started: Instant,
    /// Something is on the terminal's line.
    drawn: bool,
    /// The last plain line.
    last: String,
    iteration: usize,
}

impl Progress {
    /// The display for a `--progress` value and a number of steps.
    pub fn new(kind: ProgressKind, total_tasks: i64) -> Self {
        let on_terminal = io::stderr().is_terminal();
        Self::with_style(choose(kind, on_terminal), total_tasks)
    }

    /// The display of a command without the option: a redrawn line on a terminal, nothing elsewhere.
    pub fn on_terminal(total_tasks: i64) -> Self {
        Self::new(ProgressKind::Ansi, total_tasks)
    }

    fn with_style(style: Option<Style>, total_tasks: i64) -> Self {
        let screen = Screen {
            state: State::new(total_tasks),
            style,
            started: Instant::now(),
            drawn: false,
            last: String::new(),
            iteration: 0,
        };
        let screen = Arc::new(Mutex::new(screen));
        let Some(style) = style else {
            return Self {
                screen,
                sender: None,
                tasks: Vec::new(),
            };
        };
        let (sender, mut events) = mpsc::unbounded_channel();
        let receiving = Arc::clone(&screen);
        let receive = tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                lock(&receiving).state.apply(event);
            }
        });
        let drawing = Arc::clone(&screen);
        let draw = tokio::spawn(async move {
            let mut clock = tokio::time::interval(if style.is_plain() { PLAIN } else { REDRAW });
            // The first tick is now, when there is nothing to show yet.
            clock.tick().await;
            loop {
                clock.tick().await;
                lock(&drawing).draw(false);
            }
        });
        Self {
            screen,
            sender: Some(sender),
            tasks: vec![receive, draw],
        }
    }

    /// Where services report; `None` when nothing is shown.
    pub fn sender(&self) -> Option<UnboundedSender<ProgressEvent>> {
        self.sender.clone()
    }

    /// The next step begins.
    pub fn step(&self, description: &str) {
        lock(&self.screen).state.step(description);
    }

    /// The last step begins, whatever was left out before it.
    pub fn last_step(&self, description: &str) {
        let mut screen = lock(&self.screen);
        screen.state.step(description);
        screen.state.tasks = screen.state.total_tasks;
    }

    /// Takes the redrawn line away, or writes the last plain one. Nothing is shown afterwards.
    pub fn finish(&mut self) {
        self.tasks.drain(..).for_each(|task| task.abort());
        let mut screen = lock(&self.screen);
        screen.state.finish();
        screen.draw(true);
        screen.style = None;
        self.sender = None;
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // A failed command leaves a clean line for its error.
        self.tasks.drain(..).for_each(|task| task.abort());
        lock(&self.screen).clear();
    }
}

impl Screen {
    fn draw(&mut self, last: bool) {
        let Some(style) = self.style else { return };
        if style.is_plain() {
            let text = line(
                &mut self.state,
                style,
                self.iteration,
                self.started.elapsed(),
                usize::MAX,
            );
            if !self.state.is_empty() && text != self.last {
                write(&format!("{text}\n"));
                self.last = text;
            }
            return;
        }
        if last {
            self.clear();
            return;
        }
        if self.state.is_empty() {
            return;
        }
        let width = terminal::error_width();
        let text = line(
            &mut self.state,
            style,
            self.iteration,
            self.started.elapsed(),
            width,
        );
        self.iteration += 1;
        // Back to the first column, the line, and whatever is left of a longer one erased.
        write(&format!("\r{text}\x1b[K"));
        self.drawn = true;
    }

    fn clear(&mut self) {
        if self.drawn {
            write("\r\x1b[K");
            self.drawn = false;
        }
    }
}

fn choose(kind: ProgressKind, on_terminal: bool) -> Option<Style> {
    match (kind, on_terminal) {
        (ProgressKind::None, _) | (ProgressKind::Ansi | ProgressKind::Color, false) => None,
        (ProgressKind::Auto | ProgressKind::Ansi, true) => Some(Style::Ansi),
        (ProgressKind::Color, true) => Some(Style::Color),
        (ProgressKind::Plain, _) | (ProgressKind::Auto, false) => Some(Style::Plain),
    }
}

fn write(text: &str) {
    // Progress is an extra: a closed standard error must not fail the command.
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

fn lock(screen: &Mutex<Screen>) -> MutexGuard<'_, Screen> {
    screen.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_follows_option_and_terminal() {
        assert_eq!(choose(ProgressKind::Auto, true), Some(Style::Ansi));
        assert_eq!(choose(ProgressKind::Auto, false), Some(Style::Plain));
        assert_eq!(choose(ProgressKind::Ansi, false), None);
        assert_eq!(choose(ProgressKind::Color, false), None);
        assert_eq!(choose(ProgressKind::Color, true), Some(Style::Color));
        assert_eq!(choose(ProgressKind::Plain, true), Some(Style::Plain));
        assert_eq!(choose(ProgressKind::None, true), None);
    }
}

//! The log files of the services, one per service, shown as one stream in the order of time (behaviour.md 7.3, 23.4).
//!
//! A line begins with the time of its event; lines without one belong to the event before them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use container_config::Roots;
use container_resource::time::Timestamp;
use tokio::signal::unix::{SignalKind, signal};

use crate::error::{Failure, Outcome};
use crate::output;

/// How often followed files are looked at. Only the delay of a new line depends on it.
const FOLLOW: Duration = Duration::from_millis(100);

/// Where the log files are.
pub fn directory(roots: &Roots) -> PathBuf {
    roots.log.clone().unwrap_or_else(|| roots.app.join("logs"))
}

/// Prints what the services said within the last `window`.
///
/// # Errors
/// The files cannot be read.
pub fn show(roots: &Roots, window: Duration) -> Outcome {
    let directory = directory(roots);
    let oldest = Timestamp::now().checked_sub(window).unwrap_or(Timestamp::MIN);
    let mut events = Vec::new();
    for (service, path) in files(&directory) {
        let file = File::open(&path).map_err(|error| failed(&path, &error))?;
        let lines = BufReader::new(file).split(b'\n').map_while(Result::ok);
        events.extend(collect(&service, lines, oldest));
    }
    // Events of one service at the same time keep their order.
    events.sort_by_key(|event| event.time);
    for event in events {
        output::print(&event.text);
    }
    Ok(0)
}

/// Prints what the services say from now on, until SIGINT.
///
/// # Errors
/// The files cannot be read, or the signal cannot be caught.
pub async fn follow(roots: &Roots) -> Outcome {
    let directory = directory(roots);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| failed(&directory, &error))?;
    // What is there already is the past; a file that appears later is read from its beginning.
    let length = |path: &Path| path.metadata().map_or(0, |file| file.len());
    let mut positions: BTreeMap<String, u64> = files(&directory)
        .into_iter()
        .map(|(service, path)| (service, length(&path)))
        .collect();
    let mut clock = tokio::time::interval(FOLLOW);
    loop {
        tokio::select! {
            _ = interrupt.recv() => return Ok(0),
            _ = clock.tick() => {}
        }
        for (service, path) in files(&directory) {
            let position = positions.entry(service.clone()).or_default();
            if length(&path) < *position {
                *position = 0;
            }
            *position += news(&service, &path, *position).map_err(|error| failed(&path, &error))?;
        }
    }
}

/// Prints the whole lines after `position`; gives how many bytes they have.
fn news(service: &str, path: &Path, position: u64) -> std::io::Result<u64> {
    let mut file = BufReader::new(File::open(path)?);
    file.seek(SeekFrom::Start(position))?;
    let mut read = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        let count = file.read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\n") {
            return Ok(read);
        }
        read += u64::try_from(count).unwrap_or(0);
        output::print(&labelled(service, &line));
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::error(format!("failed to read {}: {error}", path.display()))
}

/// The log files by service, in order.
fn files(directory: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut files: Vec<(String, PathBuf)> = entries
        .filter_map(|entry| {
            let path = entry.path();
            let service = path.file_name()?.to_str()?.strip_suffix(".log")?.to_owned();
            Some((service, path))
        })
        .collect();
    files.sort();
    files
}

/// A line with a time, and those after it that have none.
#[derive(Debug, PartialEq, Eq)]
struct Event {
    time: Timestamp,
    text: String,
}

/// The events since `oldest`.
fn collect(service: &str, lines: impl Iterator<Item = Vec<u8>>, oldest: Timestamp) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    let mut wanted = false;
    for line in lines {
        if let Some(time) = time_of(&line) {
            wanted = time >= oldest;
            if wanted {
                events.push(Event {
                    time,
                    text: labelled(service, &line),
                });
            }
        } else if let Some(event) = events.last_mut().filter(|_| wanted) {
            event.text.push_str(&labelled(service, &line));
        }
    }
    events
}

/// The time that a line begins with.
fn time_of(line: &[u8]) -> Option<Timestamp> {
    let end = line.iter().position(|byte| *byte == b' ')?;
    std::str::from_utf8(&line[..end]).ok()?.parse().ok()
}

fn labelled(service: &str, line: &[u8]) -> String {
    format!(
        "{service}: {}\n",
        String::from_utf8_lossy(line).trim_end_matches('\n')
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_keep_the_lines_that_belong_to_them() {
        let text =
            "lost\n2026-08-08T10:00:00.5Z  INFO old\nold too\n2026-08-08T11:00:00Z  INFO new\n  more\n";
        let lines = text.lines().map(|line| line.as_bytes().to_vec());
        let oldest = "2026-08-08T10:30:00Z".parse().expect("a time");
        let events = collect("s", lines, oldest);
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].text, "s: 2026-08-08T11:00:00Z  INFO new\ns:   more\n");
    }

    #[test]
    fn only_logs_are_shown() {
        let directory = tempfile::tempdir().expect("a directory");
        for name in ["b.log", "a.log", "c.txt"] {
            fs::write(directory.path().join(name), "").expect("written");
        }
        let services: Vec<String> = files(directory.path())
            .into_iter()
            .map(|(service, _)| service)
            .collect();
        assert_eq!(services, ["a", "b"]);
        assert!(files(&directory.path().join("missing")).is_empty());
    }
}

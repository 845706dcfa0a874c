//! What an installation left behind: processes, and logs that say why.

use std::path::Path;
use std::process::Command;
use std::{fs, process};

/// Processes that have `home` in their environment or command line, or a file below it open, with their command lines.
/// The services get their roots by environment; virtual machines get nothing but descriptors.
pub(crate) fn processes(home: &Path) -> Vec<(i32, String)> {
    let needle = home.as_os_str().as_encoded_bytes();
    let has = |bytes: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    let own = i32::try_from(process::id()).unwrap_or(-1);
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    ids.filter(|id| *id != own)
        .filter_map(|id| {
            let read = |file: &str| fs::read(format!("/proc/{id}/{file}")).unwrap_or_default();
            let line = read("cmdline");
            // An empty command line is a zombie or a kernel thread.
            let ours = !line.is_empty() && (has(&line) || has(&read("environ")) || has_open(id, home));
            ours.then(|| (id, String::from_utf8_lossy(&line).replace('\0', " ")))
        })
        .collect()
}

fn has_open(id: i32, home: &Path) -> bool {
    let descriptors = fs::read_dir(format!("/proc/{id}/fd"))
        .into_iter()
        .flatten()
        .flatten();
    descriptors
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .any(|path| path.starts_with(home))
}

pub(crate) fn kill(processes: &[(i32, String)]) {
    for (id, _) in processes {
        // It may have ended by itself meanwhile.
        let _ = Command::new("kill").args(["-KILL", &id.to_string()]).status();
    }
}

/// The log files below `home`, boot logs included.
pub(crate) fn logs(home: &Path) -> String {
    let mut text = String::new();
    let mut directories = vec![
        home.join(".local/state/container"),
        home.join(".local/share/container/containers"),
    ];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "log") {
                let content = fs::read(&path).unwrap_or_default();
                let tail =
                    String::from_utf8_lossy(&content[content.len().saturating_sub(4000)..]).into_owned();
                text.push_str(&format!("--- {}\n{tail}\n", path.display()));
            }
        }
    }
    text
}

//! Formats a file and tells how long it took and what it allocates: `mkext4 FILE BYTES [ordered|writeback|journal]`.

use std::error::Error;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::time::Instant;

use container_ext4::{Directory, Journal, JournalMode, Options, format};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (path, size, mode) = match arguments.as_slice() {
        [path, size] => (path, size.parse()?, None),
        [path, size, mode] => (path, size.parse()?, Some(mode.as_str())),
        _ => return Err("usage: mkext4 FILE BYTES [ordered|writeback|journal]".into()),
    };
    let mode = match mode {
        None => None,
        Some("ordered") => Some(JournalMode::Ordered),
        Some("writeback") => Some(JournalMode::Writeback),
        Some("journal") => Some(JournalMode::Journal),
        Some(other) => return Err(format!("unknown journal mode {other}").into()),
    };
    let options = Options {
        journal: mode.map(|mode| Journal { mode, size: None }),
        directories: &[Directory::new("upper"), Directory::new("work")],
        ..Options::new(size)
    };
    let file = File::create(path)?;
    let start = Instant::now();
    let summary = format(&file, &options)?;
    let took = start.elapsed();
    let allocated = file.metadata()?.blocks() * 512;
    println!("{took:?} {} KiB allocated {summary:?}", allocated >> 10);
    Ok(())
}

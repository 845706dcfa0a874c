//! Writes a manual page for every command into a directory: `man-pages DIRECTORY`.

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let Some(directory) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return Err(std::io::Error::other("usage: man-pages DIRECTORY"));
    };
    std::fs::create_dir_all(&directory)?;
    clap_mangen::generate_to(container::cli::command(), directory)
}

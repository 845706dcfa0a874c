//! Where the programs and the test images are.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

/// A program of this project, built beside the test that runs.
///
/// # Panics
/// It is not built: `cargo build --workspace` does that.
pub fn program(name: &str) -> PathBuf {
    // target/<profile>/deps/<test> → target/<profile>/<name>
    let test = env::current_exe().expect("the test's own path");
    let directory = test.ancestors().nth(2).expect("the profile's directory");
    let path = directory.join(name);
    assert!(
        path.exists(),
        "{} is missing: run `cargo build --workspace`, or `make test`",
        path.display()
    );
    path
}

/// The file that an environment variable names.
///
/// # Panics
/// The variable is not set, or names nothing.
pub fn artifact(variable: &str) -> PathBuf {
    let value = env::var_os(variable).unwrap_or_else(|| panic!("{variable} is not set: run `make test`"));
    fs::canonicalize(&value).unwrap_or_else(|error| panic!("{variable}={}: {error}", value.display()))
}

/// A program without a dynamic linker, compiled from `source` in C: one that runs in any image.
pub fn static_program(source: &str) -> Vec<u8> {
    let directory = tempfile::tempdir().expect("a directory");
    let program = directory.path().join("program");
    let mut command = Command::new("cc");
    command
        .args(["-static", "-O", "-x", "c", "-", "-o"])
        .arg(&program)
        .stdin(std::process::Stdio::piped());
    let compiled = crate::finish(command, source.as_bytes());
    assert_eq!(compiled.code, 0, "{compiled:?}");
    std::fs::read(&program).expect("the program")
}

//! Where the programs and the test images are.

use std::path::PathBuf;
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

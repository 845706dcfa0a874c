//! The `container` program: see the library for everything.

use std::process::ExitCode;

fn main() -> ExitCode {
    container::run(std::env::args_os())
}

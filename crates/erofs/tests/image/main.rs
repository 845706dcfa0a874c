//! Images built from layers, checked with fsck.erofs, with a reader of their own and against what umoci unpacks.

mod archive;
mod entries;
mod hostile;
mod layers;
mod reader;
// umoci unpacks on Linux only.
#[cfg(target_os = "linux")]
mod umoci;

use std::path::Path;
use std::process::Command;

use container_erofs::{Builder, Error, Options, Summary};
use reader::Tree;

/// Builds an image from layers, has it checked by fsck.erofs, and reads it.
fn build(layers: &[Vec<u8>]) -> Tree {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image");
    build_at(&path, layers);
    check(&path);
    reader::read(&std::fs::read(&path).unwrap())
}

/// Builds an image at a path.
fn build_at(path: &Path, layers: &[Vec<u8>]) -> Summary {
    try_build(path, layers, Options::default()).unwrap_or_else(|error| panic!("{}", chain(&error)))
}

/// Builds an image at a path, which may fail.
fn try_build(path: &Path, layers: &[Vec<u8>], options: Options) -> Result<Summary, Error> {
    let mut builder = Builder::new(std::fs::File::create(path).unwrap(), options)?;
    for layer in layers {
        builder.add_layer(layer.as_slice(), None)?;
    }
    builder.finish()
}

/// The error that building an image from layers ends with, its causes included.
fn fault(layers: &[Vec<u8>]) -> String {
    fault_with(layers, Options::default())
}

/// The error that building an image from layers with options ends with, its causes included.
fn fault_with(layers: &[Vec<u8>], options: Options) -> String {
    let directory = tempfile::tempdir().unwrap();
    let error = try_build(&directory.path().join("image"), layers, options).expect_err("a fault");
    chain(&error)
}

/// Checks an image with fsck.erofs.
fn check(path: &Path) {
    let output = Command::new("fsck.erofs")
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .arg(path)
        .output()
        .expect("fsck.erofs of Debian's package erofs-utils");
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&text));
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}

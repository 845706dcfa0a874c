//! Unpacks layers into an image and tells how long it took: `mkerofs IMAGE LAYER...`, the lowest layer first.

use std::error::Error;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::time::Instant;

use container_erofs::{Builder, Options};

fn main() {
    if let Err(error) = run() {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            text += &format!(": {error}");
            source = error.source();
        }
        eprintln!("{text}");
        std::process::exit(1);
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let path = arguments.next().ok_or("usage: mkerofs IMAGE LAYER...")?;
    let start = Instant::now();
    let file = File::create(&path)?;
    let mut builder = Builder::new(file.try_clone()?, Options::default())?;
    let mut uncompressed = 0;
    for layer in arguments {
        let layer = builder.add_layer(File::open(layer)?, None)?;
        uncompressed += layer.bytes;
    }
    let summary = builder.finish()?;
    let allocated = file.metadata()?.blocks() * 512;
    println!(
        "{:?}: {} inodes, {} MiB of layers, image {} MiB, allocated {} MiB",
        start.elapsed(),
        summary.inodes,
        uncompressed >> 20,
        summary.bytes >> 20,
        allocated >> 20,
    );
    Ok(())
}

//! Every target on its seeds.

use std::path::Path;

/// Runs `target` on the files of `seeds/<name>`; there is at least one.
fn run(name: &str, target: fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(name);
    let mut seeds = 0;
    for entry in std::fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        let bytes = std::fs::read(&path).unwrap();
        target(&bytes);
        // Cut short and changed, too: what the fuzzer does first.
        for length in (0..bytes.len()).step_by(bytes.len() / 16 + 1) {
            target(&bytes[..length]);
            let mut changed = bytes.clone();
            changed[length] ^= 0x41;
            target(&changed);
        }
        seeds += 1;
    }
    assert!(seeds > 0, "no seeds in {}", directory.display());
}

#[test]
fn challenge() {
    run("challenge", container_fuzz::challenge);
}

#[test]
fn dns() {
    run("dns", container_fuzz::dns);
}

#[test]
fn documents() {
    run("documents", container_fuzz::documents);
}

#[test]
fn layer() {
    run("layer", container_fuzz::layer);
}

#[test]
fn reference() {
    run("reference", container_fuzz::reference);
}

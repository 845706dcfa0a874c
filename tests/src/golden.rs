//! Outputs that are kept in files.

use std::fs;
use std::path::Path;

/// Compares an output with the file `tests/data/<name>`, byte for byte. With `UPDATE_GOLDEN` in the environment the file
/// is written instead: look at the difference, and at the behaviour that it follows, before it is kept.
///
/// # Panics
/// They differ, or the file cannot be read.
pub fn assert_golden(name: &str, output: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().expect("a directory")).expect("the directory");
        fs::write(&path, output).expect("the golden file");
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == output, "not what {name} has:\n{output}");
}

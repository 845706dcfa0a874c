//! Where the project's own programs are.

use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The executable of the program `name`: next to the running program, as in a build directory, or else
/// `<install root>/libexec/container/plugins/<name>/bin/<name>` (behaviour.md 24.2).
pub fn locate_program(name: &str, install_root: &Path) -> Result<PathBuf> {
    let own = std::env::current_exe().map_err(|source| Error::File {
        path: "/proc/self/exe".into(),
        source,
    })?;
    locate(name, &without_deleted(own), install_root)
}

fn locate(name: &str, own: &Path, install_root: &Path) -> Result<PathBuf> {
    let beside = own.with_file_name(name);
    let installed = install_root
        .join("libexec/container/plugins")
        .join(name)
        .join("bin")
        .join(name);
    if is_executable(&beside) {
        Ok(beside)
    } else if is_executable(&installed) {
        Ok(installed)
    } else {
        Err(Error::ProgramNotFound {
            name: name.to_owned(),
            beside,
            installed,
        })
    }
}

/// Linux marks the path of a program that was replaced while it runs, as an upgrade does.
fn without_deleted(path: PathBuf) -> PathBuf {
    match path.as_os_str().as_bytes().strip_suffix(b" (deleted)") {
        Some(bytes) => std::ffi::OsString::from_vec(bytes.to_vec()).into(),
        None => path,
    }
}

fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(path: &Path, mode: u32) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn neighbours_come_before_the_installation() {
        let dir = tempfile::tempdir().unwrap();
        let (own, root) = (dir.path().join("build/container"), dir.path().join("root"));
        let beside = dir.path().join("build/helper");
        let installed = root.join("libexec/container/plugins/helper/bin/helper");

        let text = locate("helper", &own, &root).unwrap_err().to_string();
        assert!(text.contains(beside.to_str().unwrap()), "{text}");
        assert!(text.contains(installed.to_str().unwrap()), "{text}");

        program(&installed, 0o755);
        assert_eq!(locate("helper", &own, &root).unwrap(), installed);
        program(&beside, 0o644);
        assert_eq!(
            locate("helper", &own, &root).unwrap(),
            installed,
            "not executable"
        );
        program(&beside, 0o755);
        assert_eq!(locate("helper", &own, &root).unwrap(), beside);
    }

    #[test]
    fn a_replaced_program_still_has_neighbours() {
        assert_eq!(
            without_deleted("/a/container (deleted)".into()),
            Path::new("/a/container")
        );
        assert_eq!(without_deleted("/a/container".into()), Path::new("/a/container"));
    }
}

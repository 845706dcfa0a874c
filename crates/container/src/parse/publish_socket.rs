//! `--publish-socket` (behaviour.md 9.2). The container's helper makes the socket, and directories for it.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use container_ipc::Error;
use container_resource::PublishSocket;

use super::invalid;

/// `host_path:container_path`; a relative host path is below `current_directory`.
///
/// # Errors
/// There are not two parts, or the container's path is relative.
pub fn parse(text: &str, current_directory: &Path) -> Result<PublishSocket, Error> {
    let parts: Vec<&str> = text.split(':').collect();
    let [host_path, container_path] = parts[..] else {
        return wrong_format(text);
    };
    if host_path.is_empty() || container_path.is_empty() {
        return wrong_format(text);
    }
    if !container_path.starts_with('/') {
        return invalid(format!("containerPath must be absolute: {container_path}"));
    }
    Ok(PublishSocket {
        host_path: current_directory.join(host_path).display().to_string(),
        container_path: container_path.to_owned(),
        permissions: None,
    })
}

/// Looks whether a socket can be made at `path` of the host. One that nobody listens at any more is no hindrance; other
/// files are, and are never removed.
///
/// # Errors
/// There is something.
pub fn check_host(path: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(path) {
        Err(_) => Ok(()),
        Ok(found) if !found.file_type().is_socket() => invalid(format!(
            "host path {} exists and is not a socket; choose another path, or remove it",
            path.display()
        )),
        Ok(_) if UnixStream::connect(path).is_ok() => invalid(format!(
            "host socket {} already exists and may be in use",
            path.display()
        )),
        Ok(_) => Ok(()),
    }
}

fn wrong_format(text: &str) -> Result<PublishSocket, Error> {
    invalid(format!(
        "invalid publish-socket format {text}. Expected: host_path:container_path"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<(String, String), String> {
        let socket = parse(text, Path::new("/cwd")).map_err(|error| error.to_string())?;
        Ok((socket.host_path, socket.container_path))
    }

    #[test]
    fn two_paths() {
        assert_eq!(
            parsed("a.sock:/b"),
            Ok(("/cwd/a.sock".to_owned(), "/b".to_owned()))
        );
        assert_eq!(parsed("/a:/b"), Ok(("/a".to_owned(), "/b".to_owned())));
        for text in ["", "a", ":", "a:", ":/b", "a:/b:c"] {
            let want = format!("invalid publish-socket format {text}. Expected: host_path:container_path");
            assert_eq!(parsed(text), Err(want));
        }
        assert_eq!(parsed("a:b"), Err("containerPath must be absolute: b".to_owned()));
    }

    #[test]
    fn what_is_in_use_or_no_socket_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("s");
        let check = || check_host(&path).map_err(|error| error.to_string());
        assert_eq!(check(), Ok(()));
        let listener = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
        let in_use = format!("host socket {} already exists and may be in use", path.display());
        assert_eq!(check(), Err(in_use));
        drop(listener);
        assert_eq!(check(), Ok(()), "nobody listens any more");
        fs::remove_file(&path).expect("removed");
        fs::write(&path, "kept").expect("a file");
        assert!(check().is_err_and(|text| text.contains("exists and is not a socket")));
    }
}

//! `--publish-socket` (behaviour.md 9.2). Looking at the host, and making directories there, is left to the caller.

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
}

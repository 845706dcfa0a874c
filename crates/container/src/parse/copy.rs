//! Sources and destinations of `container copy` (behaviour.md 14.2).

use container_ipc::Error;

use super::invalid;

/// One side of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A path on the host.
    Local(String),
    /// An absolute path in a container.
    Container {
        /// The container's id.
        id: String,
        /// The path.
        path: String,
    },
    /// `-`: an archive on standard input or output.
    Stream,
}

/// `id:/absolute/path`, `-`, or a local path. A path that begins with `/` or `.` is local whatever is in it.
///
/// # Errors
/// There is a colon, but no id before it or no absolute path behind it.
pub fn parse(text: &str) -> Result<Place, Error> {
    if text == "-" {
        return Ok(Place::Stream);
    }
    if text.starts_with(['/', '.']) || !text.contains(':') {
        return Ok(Place::Local(text.to_owned()));
    }
    match text.split_once(':') {
        Some((id, path)) if !id.is_empty() && path.starts_with('/') && !path.contains(':') => {
            Ok(Place::Container {
                id: id.to_owned(),
                path: path.to_owned(),
            })
        }
        _ => invalid(format!("invalid path given: {text}")),
    }
}

/// The last component of a path; `.` for what has no name of its own: a root, or `dir/.`, which stands for what is in a
/// directory.
pub fn base_name(path: &str) -> &str {
    match path.trim_end_matches('/').rsplit('/').next() {
        None | Some("" | "." | "..") => ".",
        Some(name) => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_kinds_of_places() {
        let container = |path: &str| Place::Container {
            id: "web".to_owned(),
            path: path.to_owned(),
        };
        assert_eq!(parse("web:/etc"), Ok(container("/etc")));
        assert_eq!(parse("web:/"), Ok(container("/")));
        assert_eq!(parse("-"), Ok(Place::Stream));
        for local in ["file", "./a:b", "/tmp/a:b", "../x", "."] {
            assert_eq!(parse(local), Ok(Place::Local(local.to_owned())));
        }
        for wrong in ["web:etc", ":/etc", "web:/a:b", "C:\\x", "web:"] {
            let error = parse(wrong).map_err(|error| error.to_string());
            assert_eq!(error, Err(format!("invalid path given: {wrong}")));
        }
    }

    #[test]
    fn names() {
        for (path, name) in [
            ("/etc/hosts", "hosts"),
            ("dir/", "dir"),
            ("/", "."),
            ("dir/.", "."),
            ("..", "."),
        ] {
            assert_eq!(base_name(path), name, "{path}");
        }
    }
}

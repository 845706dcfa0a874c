//! `--volume` (behaviour.md 9.3).

use container_ipc::Error;
use container_resource::name::{VOLUME_NAME_PATTERN, is_volume_name};

use super::invalid;

/// One `--volume`, or one `--mount` that is no tmpfs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeMount {
    /// What is mounted.
    pub source: VolumeSource,
    /// Where in the container.
    pub destination: String,
    /// Mount options.
    pub options: Vec<String>,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeSource {
    /// A new volume with a random name.
    Anonymous,
    /// A volume by name.
    Named(String),
    /// A host file or directory, as given.
    Host(String),
}

/// `[source:]destination[:option,…]`. A source with a slash, `.` or `..` is a host path.
///
/// # Errors
/// There are too many or no parts, or the volume's name is none.
pub fn parse(text: &str) -> Result<VolumeMount, Error> {
    let parts: Vec<&str> = text.split(':').filter(|part| !part.is_empty()).collect();
    let (source, destination, options) = match parts[..] {
        [destination] => (VolumeSource::Anonymous, destination, ""),
        [source, destination] => (named_or_host(source)?, destination, ""),
        [source, destination, options] => (named_or_host(source)?, destination, options),
        _ => return invalid(format!("invalid volume format {text}")),
    };
    let options = options
        .split(',')
        .filter(|option| !option.is_empty())
        .map(str::to_owned)
        .collect();
    Ok(VolumeMount {
        source,
        destination: destination.to_owned(),
        options,
    })
}

fn named_or_host(source: &str) -> Result<VolumeSource, Error> {
    if source.contains('/') || source == "." || source == ".." {
        return Ok(VolumeSource::Host(source.to_owned()));
    }
    name(source).map(VolumeSource::Named)
}

/// A volume's name.
///
/// # Errors
/// It breaks the rule of behaviour.md 10.
pub fn name(text: &str) -> Result<String, Error> {
    if !is_volume_name(text) {
        return invalid(format!(
            "invalid volume name '{text}': must match {VOLUME_NAME_PATTERN}"
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<(VolumeSource, String, Vec<String>), String> {
        let mount = parse(text).map_err(|error| error.to_string())?;
        Ok((mount.source, mount.destination, mount.options))
    }

    #[test]
    fn one_two_or_three_parts() {
        assert_eq!(
            parsed("/data"),
            Ok((VolumeSource::Anonymous, "/data".to_owned(), vec![]))
        );
        assert_eq!(
            parsed("::/data"),
            Ok((VolumeSource::Anonymous, "/data".to_owned(), vec![]))
        );
        assert_eq!(
            parsed("v:/data"),
            Ok((VolumeSource::Named("v".to_owned()), "/data".to_owned(), vec![]))
        );
        assert_eq!(
            parsed("./x:/data:ro,noexec"),
            Ok((
                VolumeSource::Host("./x".to_owned()),
                "/data".to_owned(),
                vec!["ro".to_owned(), "noexec".to_owned()]
            ))
        );
        assert_eq!(
            parsed("..:rel"),
            Ok((VolumeSource::Host("..".to_owned()), "rel".to_owned(), vec![]))
        );
    }

    #[test]
    fn everything_else_is_refused() {
        assert_eq!(parsed("a:b:c:d"), Err("invalid volume format a:b:c:d".to_owned()));
        assert_eq!(parsed(""), Err("invalid volume format ".to_owned()));
        assert_eq!(
            parsed("-x:/data"),
            Err("invalid volume name '-x': must match ^[A-Za-z0-9][A-Za-z0-9_.-]*$".to_owned())
        );
    }
}

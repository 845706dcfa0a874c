//! `--mount` (behaviour.md 9.4).

use container_ipc::Error;
use container_resource::Filesystem;

use super::volume::{VolumeMount, VolumeSource, name};
use super::{invalid, memory};

/// One `--mount`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mount {
    /// `type=tmpfs`.
    Tmpfs(Filesystem),
    /// `type=bind`, `type=virtiofs` with a host directory, `type=volume`.
    Volume(VolumeMount),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Virtiofs,
    Tmpfs,
    Volume,
}

/// Comma separated directives: `type`, `source`, `destination`, `readonly`, `nocopy`, `size`, `mode`.
///
/// # Errors
/// A directive is unknown, has no value, or does not go with the type; the destination is missing.
pub fn parse(text: &str) -> Result<Mount, Error> {
    let mut kind = Kind::Virtiofs;
    let (mut source, mut destination) = (String::new(), String::new());
    let mut options: Vec<String> = Vec::new();
    let mut tmpfs_only = false;
    for directive in text.split(',') {
        let (key, value) = split(directive, text)?;
        match (key, value) {
            ("type", Some(value)) => kind = kind_of(value)?,
            ("source" | "src", Some(value)) => value.clone_into(&mut source),
            ("destination" | "dst" | "target", Some(value)) => value.clone_into(&mut destination),
            ("readonly" | "ro", value) => {
                if !matches!(value, Some("false" | "0")) {
                    push(&mut options, "ro".to_owned());
                }
            }
            ("nocopy" | "volume-nocopy", value) => {
                if !matches!(value, Some("false" | "0")) {
                    push(&mut options, "nocopy".to_owned());
                }
            }
            ("size", Some(value)) => {
                push(&mut options, format!("size={}", memory::memory(value)?));
                tmpfs_only = true;
            }
            ("mode", Some(value)) => {
                push(&mut options, format!("mode={value}"));
                tmpfs_only = true;
            }
            _ => return invalid(format!("unknown directive {key} when parsing mount {text}")),
        }
    }
    if tmpfs_only && kind != Kind::Tmpfs {
        return invalid(format!("size and mode are for tmpfs mounts only: {text}"));
    }
    finish(kind, source, destination, options)
}

fn finish(kind: Kind, source: String, destination: String, options: Vec<String>) -> Result<Mount, Error> {
    if destination.is_empty() {
        let what = if kind == Kind::Volume { "volume" } else { "mount" };
        return invalid(format!("{what} destination cannot be empty"));
    }
    let source = match kind {
        Kind::Tmpfs if !source.is_empty() => return invalid("cannot specify source for tmpfs mount"),
        Kind::Tmpfs => return Ok(Mount::Tmpfs(Filesystem::tmpfs(destination, options))),
        Kind::Volume if source.is_empty() => VolumeSource::Anonymous,
        Kind::Volume => VolumeSource::Named(name(&source)?),
        Kind::Virtiofs => VolumeSource::Host(source),
    };
    Ok(Mount::Volume(VolumeMount {
        source,
        destination,
        options,
    }))
}

/// Key and value; only `readonly` and `nocopy` may have none.
fn split<'a>(directive: &'a str, text: &str) -> Result<(&'a str, Option<&'a str>), Error> {
    let missing = || {
        invalid(format!(
            "invalid directive format missing value {directive} in {text}"
        ))
    };
    match directive.split_once('=') {
        Some((_, value)) if value.is_empty() || value.contains('=') => missing(),
        Some((key, value)) => Ok((key, Some(value))),
        None if matches!(directive, "readonly" | "ro" | "nocopy" | "volume-nocopy") => Ok((directive, None)),
        None => missing(),
    }
}

fn kind_of(value: &str) -> Result<Kind, Error> {
    match value {
        "virtiofs" | "bind" => Ok(Kind::Virtiofs),
        "tmpfs" => Ok(Kind::Tmpfs),
        "volume" => Ok(Kind::Volume),
        _ => invalid(format!("unsupported mount type {value}")),
    }
}

fn push(options: &mut Vec<String>, option: String) {
    if !options.contains(&option) {
        options.push(option);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        parse(text).map_or_else(|error| error.to_string(), |mount| format!("{mount:?}"))
    }

    fn volume(source: VolumeSource, options: &[&str]) -> Result<Mount, Error> {
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        Ok(Mount::Volume(VolumeMount {
            source,
            destination: "/d".to_owned(),
            options,
        }))
    }

    #[test]
    fn three_kinds() {
        let host = || VolumeSource::Host("/s".to_owned());
        assert_eq!(parse("type=bind,source=/s,target=/d"), volume(host(), &[]));
        assert_eq!(parse("src=/s,dst=/d,ro,ro"), volume(host(), &["ro"]));
        assert_eq!(parse("type=volume,dst=/d"), volume(VolumeSource::Anonymous, &[]));
        assert_eq!(
            parse("type=volume,src=v,dst=/d"),
            volume(VolumeSource::Named("v".to_owned()), &[])
        );
        let options = vec!["size=67108864".to_owned(), "mode=1777".to_owned()];
        assert_eq!(
            parse("type=tmpfs,dst=/d,size=64m,mode=1777"),
            Ok(Mount::Tmpfs(Filesystem::tmpfs("/d", options)))
        );
    }

    #[test]
    fn readonly_can_be_denied() {
        let host = || VolumeSource::Host("/s".to_owned());
        assert_eq!(parse("src=/s,dst=/d,readonly=true"), volume(host(), &["ro"]));
        assert_eq!(parse("src=/s,dst=/d,readonly=false"), volume(host(), &[]));
    }

    #[test]
    fn texts() {
        let cases = [
            ("type=nfs,dst=/d", "unsupported mount type nfs"),
            (
                "source,dst=/d",
                "invalid directive format missing value source in source,dst=/d",
            ),
            (
                "source=a=b",
                "invalid directive format missing value source=a=b in source=a=b",
            ),
            (
                "color=red",
                "unknown directive color when parsing mount color=red",
            ),
            (
                "type=tmpfs,src=/s,dst=/d",
                "cannot specify source for tmpfs mount",
            ),
            ("src=/s", "mount destination cannot be empty"),
            ("type=volume,src=v", "volume destination cannot be empty"),
            (
                "src=/s,dst=/d,size=1m",
                "size and mode are for tmpfs mounts only: src=/s,dst=/d,size=1m",
            ),
            ("type=tmpfs,dst=/d,size=big", "invalid size"),
        ];
        for (text, want) in cases {
            assert_eq!(error(text), want);
        }
    }
}

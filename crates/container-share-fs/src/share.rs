//! What is shared.

use std::path::PathBuf;
use std::str::FromStr;

/// A directory or file of the host and its name in the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Share {
    /// A directory of the tree that the guest sees: one component.
    pub(crate) name: String,
    /// Where it is on the host.
    pub(crate) path: PathBuf,
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, path))
                if !matches!(name, "" | "." | "..") && !name.contains('/') && path.starts_with('/') =>
            {
                Ok(Self {
                    name: name.to_owned(),
                    path: path.into(),
                })
            }
            _ => Err("must be a name, `=` and an absolute path".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_component() {
        let share: Share = "0=/a=b".parse().unwrap();
        assert_eq!((share.name.as_str(), share.path), ("0", "/a=b".into()));
        for text in ["", "0", "=/a", "0=a", "../x=/a", "..=/a", ".=/a"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }
}

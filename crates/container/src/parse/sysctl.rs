//! `--sysctl`.

use std::collections::BTreeMap;

use container_ipc::Error;

use super::invalid;

/// `<name>=<value>`, each name once; a later one replaces an earlier one.
///
/// # Errors
/// An option has no name or no value, or a name leads elsewhere.
pub fn parse(texts: &[String]) -> Result<BTreeMap<String, String>, Error> {
    let mut settings = BTreeMap::new();
    for text in texts {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() && !name.contains("..") => {
                settings.insert(name.to_owned(), value.to_owned());
            }
            _ => return invalid(format!("invalid sysctl '{text}': expected <name>=<value>")),
        }
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values() {
        let parsed = |texts: &[&str]| parse(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        let settings = parsed(&["kernel.msgmax=65536", "net/ipv4/x=a=b", "kernel.msgmax=1"]);
        let expected = [("kernel.msgmax", "1"), ("net/ipv4/x", "a=b")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(settings, Ok(BTreeMap::from(expected)));
        for bad in ["kernel.msgmax", "=1", "", "../../etc/x=1"] {
            assert!(parsed(&[bad]).is_err(), "{bad}");
        }
    }
}

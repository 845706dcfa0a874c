//! `--cap-add`, `--cap-drop` (behaviour.md 9.12).

use container_ipc::Error;
use container_resource::capability::canonical;

use super::invalid;

/// Full names (`CAP_NET_ADMIN`, or `ALL`) of capabilities in any spelling.
///
/// # Errors
/// There is no such capability.
pub fn parse(names: &[String]) -> Result<Vec<String>, Error> {
    names
        .iter()
        .map(|name| match canonical(name) {
            Some(name) => Ok(name.to_owned()),
            None => invalid(format!("invalid capability: {name}")),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed_and_checked() {
        let names = ["net_raw".to_owned(), "all".to_owned()];
        assert_eq!(
            parse(&names),
            Ok(vec!["CAP_NET_RAW".to_owned(), "ALL".to_owned()])
        );
        let error = parse(&["fly".to_owned()]).map_err(|error| error.to_string());
        assert_eq!(error, Err("invalid capability: fly".to_owned()));
    }
}

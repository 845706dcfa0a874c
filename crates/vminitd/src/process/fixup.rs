//! What the agent adds to a process's configuration before it is launched (behaviour.md 29.4).

use std::path::Path;

use container_sandbox::GROUPS_ANNOTATION;
use oci_spec::runtime::{Process, Spec};

use super::users;
use crate::error::{Context, Error, Result};
use crate::launcher::DEFAULT_PATH;
use crate::rooted::Root;

/// Parses an OCI runtime specification.
pub(super) fn parse(configuration: &[u8]) -> Result<Spec> {
    serde_json::from_slice(configuration)
        .map_err(|error| Error::Invalid(format!("invalid process configuration: {error}")))
}

/// The names of further groups of a specification's process.
pub(super) fn group_names(spec: &Spec) -> Vec<String> {
    let annotations = spec.annotations().as_ref();
    let names = annotations.and_then(|annotations| annotations.get(GROUPS_ANNOTATION));
    names
        .map(|names| names.split(',').map(str::to_owned).collect())
        .unwrap_or_default()
}

/// Completes a process: working directory, user, groups, also those given by name, and environment, from the files of
/// its root.
pub(super) fn complete(process: &mut Process, names: &[String], root: &Root) -> Result<()> {
    if process.cwd().as_os_str().is_empty() {
        process.set_cwd("/".into());
    }
    if !process.cwd().is_absolute() {
        return Err(Error::Invalid(format!(
            "working directory {} is not absolute",
            process.cwd().display()
        )));
    }
    let read = |path: &str| {
        let text = root
            .read(Path::new(path))
            .context(|| format!("failed to read {path}"))?;
        Ok(text.unwrap_or_default())
    };
    let (passwd, group) = (read("/etc/passwd")?, read("/etc/group")?);
    let user = process.user();
    let identity = match user.username().as_deref().filter(|name| !name.is_empty()) {
        Some(name) => users::by_text(name, &passwd, &group)?,
        None => users::by_number(user.uid(), user.gid(), &passwd, &group),
    };
    let mut groups = user.additional_gids().clone().unwrap_or_default();
    let named = names.iter().map(|name| users::group_by_name(name, &group));
    let named = named.collect::<Result<Vec<_>>>()?;
    for gid in [identity.gid].into_iter().chain(identity.groups).chain(named) {
        if !groups.contains(&gid) {
            groups.push(gid);
        }
    }
    let mut user = user.clone();
    user.set_uid(identity.uid)
        .set_gid(identity.gid)
        .set_additional_gids(Some(groups))
        .set_username(None);
    process.set_user(user);

    let mut env = process.env().clone().unwrap_or_default();
    let mut default = |name: &str, value: &str| {
        let is_set = |variable: &String| variable.split_once('=').is_some_and(|(found, _)| found == name);
        if !env.iter().any(is_set) {
            env.push(format!("{name}={value}"));
        }
    };
    default("PATH", DEFAULT_PATH);
    default("HOME", identity.home.as_deref().unwrap_or("/"));
    if process.terminal() == Some(true) {
        default("TERM", "xterm");
    }
    process.set_env(Some(env));
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn completed(process: serde_json::Value) -> Result<serde_json::Value> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("etc")).unwrap();
        std::fs::write(
            directory.path().join("etc/passwd"),
            "me:x:1000:100::/home/me:/bin/sh\n",
        )
        .unwrap();
        std::fs::write(
            directory.path().join("etc/group"),
            "users:x:100:\ndialout:x:20:me\n",
        )
        .unwrap();
        let mut process: Process = serde_json::from_value(process).unwrap();
        complete(&mut process, &[], &Root::open(directory.path()).unwrap())?;
        Ok(serde_json::to_value(process).unwrap())
    }

    #[test]
    fn what_is_missing_is_added() {
        let process = completed(json!({
            "cwd": "", "terminal": true, "args": ["sh"], "user": { "username": "me", "additionalGids": [20, 7] },
        }))
        .unwrap();
        assert_eq!(process["cwd"], "/");
        assert_eq!(
            process["user"],
            json!({ "uid": 1000, "gid": 100, "additionalGids": [20, 7, 100] })
        );
        let path = format!("PATH={DEFAULT_PATH}");
        assert_eq!(process["env"], json!([path, "HOME=/home/me", "TERM=xterm"]));
    }

    #[test]
    fn what_is_there_stays() {
        let env = json!(["PATH=/x", "HOME=/y", "TERMINFO=z"]);
        let process = completed(json!({ "cwd": "/a", "user": { "uid": 5, "gid": 6 }, "env": env })).unwrap();
        assert_eq!(process["env"], env);
        assert_eq!(process["user"]["additionalGids"], json!([6]));
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(completed(json!({ "cwd": "a/b", "user": {} })).is_err());
        assert!(completed(json!({ "cwd": "/", "user": { "username": "you" } })).is_err());
        assert!(matches!(parse(b"{"), Err(Error::Invalid(_))));
    }
}

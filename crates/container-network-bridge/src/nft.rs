//! Loading nftables rules.

use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};

/// Where programs are that an ordinary user's `PATH` may not lead to.
const SYSTEM_PATH: &str = "/usr/sbin:/sbin";

/// Loads `rules` in the network namespace of the caller: all of them, or none.
pub(crate) fn load(rules: &str) -> Result<(), String> {
    let mut nft = command()
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| match error.kind() {
            // The second is what comes of a search path with a directory that is closed to this user.
            ErrorKind::NotFound | ErrorKind::PermissionDenied => {
                "nft is missing, which networks need: install the package nftables".to_owned()
            }
            _ => format!("failed to run nft: {error}"),
        })?;
    // Its end closes the pipe. That nft ended early shows below.
    let _ = nft
        .stdin
        .take()
        .map(|mut input| input.write_all(rules.as_bytes()));
    let output = nft
        .wait_with_output()
        .map_err(|error| format!("failed to run nft: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let first = text.lines().next().unwrap_or_default();
    Err(format!(
        "nft refused the network's rules ({}): {first}",
        output.status
    ))
}

/// Whether there is a table `name` in the network namespace of the caller. When `nft` does not run, there is.
pub(crate) fn has_table(name: &str) -> bool {
    let status = command()
        .args(["list", "table", "inet", name])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.map_or(true, |status| status.success())
}

/// The names of the tables in the network namespace of the caller. When `nft` does not run, there are none.
pub(crate) fn tables() -> Vec<String> {
    let output = command()
        .args(["list", "tables", "inet"])
        .stdin(Stdio::null())
        .output();
    let text = output.map(|output| output.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let names = text.lines().filter_map(|line| line.strip_prefix("table inet "));
    names.map(str::to_owned).collect()
}

fn command() -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut nft = Command::new("nft");
    nft.env("PATH", format!("{path}:{SYSTEM_PATH}"))
        .env("LC_ALL", "C");
    nft
}

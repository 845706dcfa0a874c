//! The process that serves a machine's shared directories.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::timeout;

use super::process::{Launch, Process};
use crate::Share;

/// The server's program, which is installed beside the one that runs machines.
const PROGRAM: &str = "container-share-fs";
/// Time that the server has to end by itself once the machine is gone.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// Starts a server. The descriptor is QEMU's end of the connection to it.
pub(super) async fn start(shares: &[Share]) -> io::Result<(Process, OwnedFd)> {
    let (listener, connection) = connected()?;
    let mut arguments = vec!["--socket-fd".to_owned(), listener.as_raw_fd().to_string()];
    for share in shares {
        let option = if share.read_only {
            "--read-only-share"
        } else {
            "--share"
        };
        let path = share
            .path
            .to_str()
            .ok_or_else(|| io::Error::other(format!("the path {} is not UTF-8", share.path.display())))?;
        arguments.extend([option.to_owned(), format!("{}={path}", share.name)]);
    }
    if shares.iter().any(|share| share.live) {
        arguments.push("--no-cache".to_owned());
    }
    let process = Process::start(Launch {
        program: program()?,
        arguments,
        inherited: vec![listener],
        privileges: None,
    })
    .await?;
    Ok((process, connection))
}

/// A listening socket and a connection to it. Nobody else can have connected: the directory is private, and gone.
fn connected() -> io::Result<(OwnedFd, OwnedFd)> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("socket");
    let listener = UnixListener::bind(&path)?;
    let connection = UnixStream::connect(&path)?;
    Ok((listener.into(), connection.into()))
}

fn program() -> io::Result<PathBuf> {
    let own = std::env::current_exe()?;
    // Linux marks the path of a program that was replaced while it runs, as an upgrade does.
    let own = match own.as_os_str().as_bytes().strip_suffix(b" (deleted)") {
        Some(path) => std::ffi::OsString::from_vec(path.to_vec()).into(),
        None => own,
    };
    let program = own.with_file_name(PROGRAM);
    if program.is_file() {
        Ok(program)
    } else {
        let text = format!("{} is missing: install {PROGRAM} there", program.display());
        Err(io::Error::new(io::ErrorKind::NotFound, text))
    }
}

/// Resolves when the server fails, with what it said. A server that ends because its machine did has not failed.
pub(super) async fn failure(server: Option<&Process>) -> String {
    let Some(server) = server else {
        return std::future::pending().await;
    };
    let mut ended = server.ended();
    let ended = ended
        .wait_for(Option::is_some)
        .await
        .map_or(None, |ended| ended.clone());
    match ended {
        Some(ended) if !ended.status.success() => {
            let said = if ended.messages.is_empty() {
                ended.status.to_string()
            } else {
                ended.messages
            };
            format!("the server of the shared directories failed: {said}")
        }
        _ => std::future::pending().await,
    }
}

/// Waits until the server of a machine that is over is gone too; what it said when it had failed.
pub(super) async fn finish(server: Process) -> Option<String> {
    let mut ended = server.ended();
    let gone = timeout(END_TIMEOUT, ended.wait_for(Option::is_some))
        .await
        .is_ok();
    if !gone {
        server.kill();
        let _ = ended.wait_for(Option::is_some).await;
        return None;
    }
    timeout(Duration::ZERO, failure(Some(&server))).await.ok()
}

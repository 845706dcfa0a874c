//! Asking for a user name and a password (behaviour.md 20).

use std::future::Future;
use std::io::{self, IsTerminal, Read};

use container_resource::Secret;
use tokio::signal::unix::{SignalKind, signal};

use crate::error::{Failure, Outcome};
use crate::output;
use crate::terminal::{Silence, restore};

/// The most that is read of a password, in bytes; access tokens are some kilobytes at most.
const MAX_PASSWORD: u64 = 1 << 20;

/// Carries out `work`; a signal that ends it gives the terminal its modes back.
pub(super) async fn interruptible(work: impl Future<Output = Outcome>) -> Outcome {
    let catch =
        |kind| signal(kind).map_err(|error| Failure::error(format!("failed to catch signals: {error}")));
    let mut interrupt = catch(SignalKind::interrupt())?;
    let mut terminate = catch(SignalKind::terminate())?;
    let mut quit = catch(SignalKind::quit())?;
    let mut hangup = catch(SignalKind::hangup())?;
    let caught = tokio::select! {
        outcome = work => return outcome,
        _ = interrupt.recv() => SignalKind::interrupt(),
        _ = terminate.recv() => SignalKind::terminate(),
        _ = quit.recv() => SignalKind::quit(),
        _ = hangup.recv() => SignalKind::hangup(),
    };
    restore();
    // The cursor is behind a prompt.
    output::print_line("");
    Err(Failure::Silent(
        u8::try_from(128 + caught.as_raw_value()).unwrap_or(1),
    ))
}

/// Asks who logs in at `server`.
pub(super) async fn username(server: &str) -> Result<String, Failure> {
    output::print(&format!("Provide registry username {server}: "));
    let name = blocking(line).await?;
    let name =
        name.map_err(|error| Failure::error(format!("failed to read username from stdin: {error}")))?;
    match name.trim() {
        "" => Err(Failure::error("no username was provided")),
        name => Ok(name.to_owned()),
    }
}

/// Asks for the password, on a terminal that does not show it.
pub(super) async fn password() -> Result<Secret, Failure> {
    if !io::stdin().is_terminal() {
        let text = "cannot ask for the password: standard input is not a terminal (see --password-stdin)";
        return Err(Failure::error(text));
    }
    let silence =
        Silence::begin().map_err(|error| Failure::error(format!("failed to hide the password: {error}")))?;
    output::print("Provide registry password: ");
    let password = blocking(line).await;
    drop(silence);
    output::print_line("");
    let password =
        password?.map_err(|error| Failure::error(format!("failed to read password from stdin: {error}")))?;
    match password.trim_end_matches(['\r', '\n']) {
        "" => Err(Failure::error("no password was provided")),
        password => Ok(password.into()),
    }
}

/// All of standard input, without the blanks around it.
pub(super) async fn piped_password() -> Result<Secret, Failure> {
    let read = blocking(|| {
        let mut text = String::new();
        io::stdin()
            .lock()
            .take(MAX_PASSWORD)
            .read_to_string(&mut text)
            .map(|_| text)
    });
    match read.await? {
        Ok(text) => Ok(text.trim().into()),
        Err(_) => Err(Failure::error("failed to read password from stdin")),
    }
}

fn line() -> io::Result<String> {
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line)
}

/// Reads where it may block.
async fn blocking(
    read: impl FnOnce() -> io::Result<String> + Send + 'static,
) -> Result<io::Result<String>, Failure> {
    let read = tokio::task::spawn_blocking(read).await;
    read.map_err(|error| Failure::error(error.to_string()))
}

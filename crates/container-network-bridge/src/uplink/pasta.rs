//! The way out of an ordinary user's network: `pasta`, a process that makes connections in the user's name.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use super::link::{Link, PREFIX4};
use crate::error::Error;
use crate::holder::{Holder, Order, UPLINK};
use crate::settings::Settings;

/// How long `pasta` may take to make its interface.
const START: Duration = Duration::from_secs(10);
/// How often that is looked at.
const TRY: Duration = Duration::from_millis(5);
/// The MTU between the namespace and `pasta` in bytes: it cuts nothing, it only ends connections.
const MTU: u32 = 65520;

/// A running `pasta`.
#[derive(Debug)]
pub(crate) struct Pasta {
    link: Link,
    process: AsyncFd<OwnedFd>,
}

impl Pasta {
    /// Takes over the process that the holder keeps or that this one had before, or starts one.
    ///
    /// # Errors
    /// `pasta` is missing or fails.
    pub(super) async fn ensure(
        settings: &Settings,
        holder: &Holder,
        former: Option<&Self>,
    ) -> Result<Self, Error> {
        // These addresses are between the namespace and `pasta` alone.
        let mut link = Link::choose(settings, &[])?;
        link.loopback = link.host4;
        let kept = holder.exchange(Order::Kept, Vec::new()).await?.into_iter().next();
        let process = match (kept, former.and_then(Self::running)) {
            (Some(process), _) => process,
            (None, Some(process)) => keep(process, holder).await?,
            (None, None) => {
                end_strays(&link);
                start(&link, holder).await?
            }
        };
        let order = Order::Uplink {
            mtu: MTU,
            addresses: link.own(),
            routers: link.host(),
        };
        holder.call(order).await?;
        let failed = |error| Error::System("failed to watch pasta", error);
        // SAFETY: an `OwnedFd` always gives the one descriptor that it keeps open.
        let process = unsafe { AsyncFd::register_with_interest(process, Interest::READABLE) };
        Ok(Self {
            link,
            process: process.map_err(|error| failed(error.into()))?,
        })
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    /// The process, if it has not ended.
    fn running(&self) -> Option<OwnedFd> {
        let mut fds = [PollFd::new(self.process.get_ref(), PollFlags::IN)];
        let ended = poll(&mut fds, Some(&Timespec::default()));
        (ended == Ok(0))
            .then(|| self.process.get_ref().try_clone().ok())
            .flatten()
    }

    /// Resolves when the process has ended.
    pub(super) async fn lost(&self) {
        // A pidfd becomes readable at the end of its process, and stays so.
        if let Ok(mut ready) = self.process.readable().await {
            ready.retain_ready();
        }
    }
}

/// Starts `pasta` for the holder's namespaces, and has the holder end it.
async fn start(link: &Link, holder: &Holder) -> Result<OwnedFd, Error> {
    let (pid, _) = holder.namespaces().await?;
    let mut log =
        tempfile::tempfile().map_err(|error| Error::System("failed to make a temporary file", error))?;
    let spawned = command(link, pid, &log)?.spawn();
    let mut child = spawned.map_err(|error| match error.kind() {
        // The second is what comes of a search path with a directory that is closed to this user.
        ErrorKind::NotFound | ErrorKind::PermissionDenied => Error::Uplink(
            "pasta is missing, which networks of ordinary users need: install the package passt".to_owned(),
        ),
        _ => Error::System("failed to start pasta", error),
    })?;
    let started = async {
        let process = keep(descriptor(&child)?, holder).await?;
        wait(&mut child, holder, &mut log).await.map(|()| process)
    };
    let started = started.await;
    if started.is_err() {
        // It may have ended.
        let _ = child.start_kill();
    }
    started
}

fn command(link: &Link, pid: u32, log: &File) -> Result<Command, Error> {
    let log = log
        .try_clone()
        .map_err(|error| Error::System("failed to use a temporary file", error))?;
    let mut pasta = Command::new("pasta");
    pasta.args(["--foreground", "--quiet", "--ns-ifname", UPLINK]);
    pasta.args([
        "--address",
        &link.own4.to_string(),
        "--netmask",
        &PREFIX4.to_string(),
    ]);
    pasta.args(["--gateway", &link.host4.to_string()]);
    pasta.args([
        "--address",
        &link.own6.to_string(),
        "--gateway",
        &link.host6.to_string(),
    ]);
    // Published ports go another way.
    pasta.args(["-t", "none", "-u", "none", "-T", "none", "-U", "none"]);
    pasta.args(["--no-dhcp", "--no-dhcpv6", "--no-ra"]);
    pasta.args([
        "--userns",
        &format!("/proc/{pid}/ns/user"),
        "--netns",
        &format!("/proc/{pid}/ns/net"),
    ]);
    pasta
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .current_dir("/");
    Ok(pasta)
}

/// A descriptor of a child.
fn descriptor(child: &Child) -> Result<OwnedFd, Error> {
    let pid = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
    let pid = pid.ok_or_else(|| Error::Uplink("pasta ended at once".to_owned()))?;
    pidfd_open(pid, PidfdFlags::empty()).map_err(|error| Error::System("failed to watch pasta", error.into()))
}

/// Has the holder end `process` when it ends itself.
async fn keep(process: OwnedFd, holder: &Holder) -> Result<OwnedFd, Error> {
    let copy = process
        .try_clone()
        .map_err(|error| Error::System("failed to watch pasta", error))?;
    holder.exchange(Order::Keep, vec![copy]).await?;
    Ok(process)
}

/// Ends processes of this very network that nobody keeps any more: their helper and their holder were killed.
fn end_strays(link: &Link) {
    let address = link.own6.to_string();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()) {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = line.split(|&byte| byte == 0);
        let is_ours = words.next() == Some(b"pasta") && words.any(|word| word == address.as_bytes());
        if let Some(pid) = Pid::from_raw(pid).filter(|_| is_ours) {
            // Another user's cannot be ours.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

/// Waits for the interface.
async fn wait(child: &mut Child, holder: &Holder, log: &mut File) -> Result<(), Error> {
    let end = Instant::now() + START;
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Err(Error::Uplink(format!(
                "pasta ended ({status}): {}",
                last_words(log)
            )));
        }
        let names = holder.call(Order::Interfaces).await?.names;
        if names.iter().any(|name| name == UPLINK) {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(Error::Uplink(format!(
                "pasta made no interface within {} s: {}",
                START.as_secs(),
                last_words(log)
            )));
        }
        sleep(TRY).await;
    }
}

/// The last line of `pasta`'s own that says something.
fn last_words(log: &mut File) -> String {
    let mut text = String::new();
    let _ = log.rewind().and_then(|()| log.read_to_string(&mut text));
    last_line(&text).to_owned()
}

fn last_line(text: &str) -> &str {
    // What it cannot tell the system's log it says too.
    let mut lines = text.lines().map(str::trim).rev();
    let line = lines.find(|line| !line.is_empty() && !line.starts_with("Failed to send"));
    line.unwrap_or("it did not say why")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_found_among_complaints_about_syslog() {
        let text = "Failed to send 55 bytes to syslog\nCouldn't open network namespace /x\nFailed to send 9 bytes to syslog\n\n";
        assert_eq!(last_line(text), "Couldn't open network namespace /x");
        assert_eq!(last_line(""), "it did not say why");
    }
}

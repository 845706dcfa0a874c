//! The signals that a foreground command catches.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What has been caught.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caught {
    Terminate,
    Interrupt,
    Hangup,
    Quit,
    User1,
    User2,
    WindowChange,
    Continue,
}

impl Caught {
    /// The Linux name, which is what travels: numbers differ between hosts and guests.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
            Self::Hangup => "SIGHUP",
            Self::Quit => "SIGQUIT",
            Self::User1 => "SIGUSR1",
            Self::User2 => "SIGUSR2",
            Self::WindowChange => "SIGWINCH",
            Self::Continue => "SIGCONT",
        }
    }

    /// The exit status of a program that this signal ended.
    pub(super) fn status(self) -> u8 {
        128 + match self {
            Self::Hangup => 1,
            Self::Interrupt => 2,
            Self::Quit => 3,
            _ => 15,
        }
    }
}

/// Signals that are caught from now on.
#[derive(Debug)]
pub(super) struct Signals(Vec<(Caught, Signal)>);

impl Signals {
    /// Those that a process without the terminal gets.
    pub(super) fn forwarded() -> io::Result<Self> {
        Self::catch(&[
            (Caught::Terminate, SignalKind::terminate()),
            (Caught::Interrupt, SignalKind::interrupt()),
            (Caught::User1, SignalKind::user_defined1()),
            (Caught::User2, SignalKind::user_defined2()),
            (Caught::WindowChange, SignalKind::window_change()),
        ])
    }

    /// Those that matter while the terminal is raw: its size changed, it must be made raw again, or it must be given
    /// back because this process is asked to end.
    pub(super) fn terminal() -> io::Result<Self> {
        Self::catch(&[
            (Caught::Terminate, SignalKind::terminate()),
            (Caught::Interrupt, SignalKind::interrupt()),
            (Caught::Hangup, SignalKind::hangup()),
            (Caught::Quit, SignalKind::quit()),
            (Caught::WindowChange, SignalKind::window_change()),
            (Caught::Continue, SignalKind::from_raw(libc::SIGCONT)),
        ])
    }

    fn catch(kinds: &[(Caught, SignalKind)]) -> io::Result<Self> {
        kinds
            .iter()
            .map(|(caught, kind)| Ok((*caught, signal(*kind)?)))
            .collect::<io::Result<_>>()
            .map(Self)
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Caught {
        std::future::poll_fn(|context| {
            for (caught, signal) in &mut self.0 {
                if signal.poll_recv(context).is_ready() {
                    return std::task::Poll::Ready(*caught);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}

//! A command on a terminal of its own.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::{signal, wait_at_most};

/// How long a text may take to appear.
const LIMIT: Duration = Duration::from_secs(60);

/// A pseudo terminal with a command on it.
#[derive(Debug)]
pub struct Terminal {
    master: File,
    child: Child,
    output: Receiver<Vec<u8>>,
    /// What has been shown and not been looked for yet.
    seen: String,
}

impl Terminal {
    /// Starts `command` on a terminal of this size.
    pub fn start(mut command: Command, columns: u16, rows: u16) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let master = openpt(flags).expect("a pseudo terminal");
        // macOS has no flag for it; a child that kept this side would keep the terminal open.
        rustix::io::fcntl_setfd(&master, rustix::io::FdFlags::CLOEXEC).expect("close-on-exec");
        grantpt(&master).expect("its permissions");
        unlockpt(&master).expect("its lock");
        let name = ptsname(&master, Vec::new()).expect("its name");
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave: OwnedFd = rustix::fs::open(&*name, flags, Mode::empty()).expect("its other side");
        let master = File::from(master);
        let clone = || slave.try_clone().expect("a descriptor");
        set_size(&master, columns, rows);
        let child = command
            .stdin(clone())
            .stdout(clone())
            .stderr(clone())
            .spawn()
            .expect("the command");
        let mut reader = master.try_clone().expect("a descriptor");
        let (sender, output) = channel();
        // Ends when every descriptor of the other side is closed.
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            master,
            child,
            output,
            seen: String::new(),
        }
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).expect("keys");
    }

    /// Waits until `text` is shown; what was shown up to and with it is returned and forgotten.
    #[track_caller]
    pub fn expect(&mut self, text: &str) -> String {
        let end = Instant::now() + LIMIT;
        loop {
            if let Some(index) = self.seen.find(text) {
                let rest = self.seen.split_off(index + text.len());
                return std::mem::replace(&mut self.seen, rest);
            }
            match self
                .output
                .recv_timeout(end.saturating_duration_since(Instant::now()))
            {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(error) => panic!("{error} while waiting for {text:?}, after {:?}", self.seen),
            }
        }
    }

    /// What is shown within `time`.
    pub fn shown_within(&mut self, time: Duration) -> String {
        let end = Instant::now() + time;
        loop {
            match self
                .output
                .recv_timeout(end.saturating_duration_since(Instant::now()))
            {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    return std::mem::take(&mut self.seen);
                }
            }
        }
    }

    /// Gives the terminal another size, and tells the command.
    pub fn resize(&self, columns: u16, rows: u16) {
        set_size(&self.master, columns, rows);
        // The kernel tells those whose controlling terminal it is, which this one is not.
        self.signal("WINCH");
    }

    /// Sends a signal to the command.
    pub fn signal(&self, name: &str) {
        signal(name, i32::try_from(self.child.id()).expect("a process id"));
    }

    /// Whether keys go to the command as they are pressed.
    pub fn is_raw(&self) -> bool {
        let modes = tcgetattr(&self.master).expect("the terminal's modes");
        !modes.local_modes.contains(LocalModes::ICANON)
    }

    /// Whether keys are shown as they are pressed.
    pub fn echoes(&self) -> bool {
        let modes = tcgetattr(&self.master).expect("the terminal's modes");
        modes.local_modes.contains(LocalModes::ECHO)
    }

    /// Waits for the end of the command.
    #[track_caller]
    pub fn wait(&mut self) -> i32 {
        wait_at_most(&mut self.child, LIMIT)
    }
}

fn set_size(terminal: &File, columns: u16, rows: u16) {
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(terminal, size).expect("the terminal's size");
}

//! `container run -it` in a real terminal: tmux.

use std::process::Command;
use std::time::Duration;

use container_tests::{System, eventually, program};

/// A terminal of its own, closed when dropped.
struct Terminal {
    socket: String,
}

impl Terminal {
    fn open(system: &System) -> Self {
        let terminal = Self {
            socket: format!("ct-{}", std::process::id()),
        };
        let home = format!("HOME={}", system.home().display());
        let programs = program("container");
        let path = format!(
            "PATH={}:/usr/bin:/bin",
            programs.parent().expect("a directory").display()
        );
        let size = ["-f", "/dev/null", "new-session", "-d", "-x", "90", "-y", "25"];
        let shell = ["env", "-i", &home, &path, "TERM=screen", "PS1=host> ", "sh"];
        terminal.tmux(&[&size[..], &shell[..]].concat());
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux")
            .args(["-L", &self.socket])
            .args(arguments)
            .output()
            .expect("tmux");
        assert!(output.status.success(), "tmux {arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn enter(&self, line: &str) {
        self.tmux(&["send-keys", line, "Enter"]);
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    #[track_caller]
    fn shows(&self, text: &str) {
        let mut last = String::new();
        let end = std::time::Instant::now() + Duration::from_secs(60);
        while !last.contains(text) {
            assert!(std::time::Instant::now() < end, "waited for {text:?} on\n{last}");
            last = self.screen();
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The server may have ended with its last window.
        let _ = Command::new("tmux")
            .args(["-L", &self.socket, "kill-server"])
            .output();
    }
}

#[test]
fn a_shell_in_a_container_feels_like_a_shell() {
    let system = System::start();
    let terminal = Terminal::open(&system);
    terminal.enter("container run --rm -it --name tty busybox sh; echo code=$?");
    terminal.shows("/ #");
    terminal.enter("stty size; tty");
    terminal.shows("25 90");
    terminal.shows("/dev/pts/0");
    terminal.tmux(&["resize-window", "-x", "100", "-y", "30"]);
    eventually(Duration::from_secs(20), "the new size", || {
        terminal.enter("clear; stty size");
        std::thread::sleep(Duration::from_millis(300));
        terminal.screen().contains("30 100")
    });
    terminal.enter("sleep 1000");
    std::thread::sleep(Duration::from_millis(500));
    terminal.tmux(&["send-keys", "C-c"]);
    terminal.enter("echo inter''rupted");
    terminal.shows("interrupted");
    terminal.enter("exit 5");
    terminal.shows("code=5");
    // The terminal is as it was: it echoes and takes whole lines.
    terminal.enter("clear; stty -a | grep -c -w -e '-echo' -e '-icanon'; echo res''tored");
    terminal.shows("restored");
    assert!(terminal.screen().contains("0\nrestored"), "{}", terminal.screen());
}

#[test]
fn three_interrupts_leave_a_container_that_does_not_listen() {
    let system = System::start();
    let terminal = Terminal::open(&system);
    let script = "echo u''p; trap \"\" INT; while :; do sleep 1; done";
    terminal.enter(&format!(
        "container run --name deaf busybox sh -c '{script}'; echo code=$?"
    ));
    terminal.shows("\nup");
    for _ in 0..3 {
        terminal.tmux(&["send-keys", "C-c"]);
        std::thread::sleep(Duration::from_millis(300));
    }
    terminal.shows("Received 3 SIGINT/SIGTERM's, forcefully exiting.");
    terminal.shows("code=1");
    assert_eq!(system.state("deaf"), "running");
}

//! A small first process for containers (behaviour.md 29.1): runs one command, passes signals on to it,
//! reaps orphans, and ends as the command ended.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use libc::c_int;
use rustix::process::{Pid, WaitOptions};

use crate::process::status_of;

/// Signals that are about the process that gets them.
const OWN: [c_int; 8] = [
    libc::SIGCHLD,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGABRT,
    libc::SIGTRAP,
    libc::SIGSYS,
];

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
struct Options<'a> {
    /// Signals go to the command's whole process group.
    group: bool,
    command: &'a [String],
}

fn parse(args: &[String]) -> Option<Options<'_>> {
    let mut group = false;
    let mut rest = args;
    while let [first, others @ ..] = rest {
        match first.as_str() {
            "-p" | "--process-group" => group = true,
            "--" => {
                rest = others;
                break;
            }
            option if option.starts_with('-') => return None,
            _ => break,
        }
        rest = others;
    }
    (!rest.is_empty()).then_some(Options { group, command: rest })
}

/// Runs `[-p|--process-group] [--] COMMAND [ARGUMENT]...`; its exit status, 127 for a command that is not
/// there, 126 for one that may not be run.
pub fn main(args: &[String]) -> i32 {
    let Some(options) = parse(args) else {
        eprintln!("usage: init [-p] [--] COMMAND [ARGUMENT]...");
        return 64;
    };
    match run(&options) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("init: {}: {error}", options.command[0]);
            match error.kind() {
                io::ErrorKind::NotFound => 127,
                io::ErrorKind::PermissionDenied => 126,
                _ => 1,
            }
        }
    }
}

fn run(options: &Options<'_>) -> io::Result<i32> {
    // Blocked before the command runs, so that none is lost; waited for below.
    let signals = block_signals()?;
    let mut command = Command::new(&options.command[0]);
    command.args(&options.command[1..]).process_group(0);
    // SAFETY: only async-signal-safe calls.
    unsafe {
        command.pre_exec(|| {
            let none = empty_set();
            take_terminal(libc::getpid());
            check(libc::sigprocmask(
                libc::SIG_SETMASK,
                &raw const none,
                std::ptr::null_mut(),
            ))
        });
    }
    let child = command.spawn()?;
    let child = c_int::try_from(child.id()).map_err(io::Error::other)?;
    loop {
        let mut signal = 0;
        // SAFETY: both point to values that outlive the call.
        let result = unsafe { libc::sigwait(&raw const signals, &raw mut signal) };
        if result != 0 {
            return Err(io::Error::from_raw_os_error(result));
        }
        if signal == libc::SIGCHLD {
            if let Some(status) = reap(child) {
                return Ok(status);
            }
        } else if !OWN.contains(&signal) {
            let target = if options.group { -child } else { child };
            // SAFETY: takes no pointers. A command that has just ended does not need the signal.
            unsafe { libc::kill(target, signal) };
        }
    }
}

/// Reaps whoever has ended; the exit status of the command if it was among them.
fn reap(command: c_int) -> Option<i32> {
    let mut ended = None;
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if Some(pid) == Pid::from_raw(command) => ended = Some(status_of(status)),
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) | Err(_) => return ended,
        }
    }
}

/// Makes a process group the one that the terminal's keys reach. Without a terminal there is none to reach.
fn take_terminal(group: c_int) {
    // SAFETY: no pointers, except for one to a set that outlives its call. A background group that asks would be
    // stopped if SIGTTOU were not blocked, which all signals are here.
    unsafe {
        libc::tcsetpgrp(0, group);
    }
}

fn empty_set() -> libc::sigset_t {
    // SAFETY: the set is a plain array, which the call makes an empty set.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        set
    }
}

/// Blocks every signal that is not about this process itself, and says which.
fn block_signals() -> io::Result<libc::sigset_t> {
    // SAFETY: all pointers are to sets that outlive the calls.
    unsafe {
        let mut set = empty_set();
        libc::sigfillset(&raw mut set);
        for signal in OWN.into_iter().filter(|signal| *signal != libc::SIGCHLD) {
            libc::sigdelset(&raw mut set, signal);
        }
        check(libc::sigprocmask(
            libc::SIG_SETMASK,
            &raw const set,
            std::ptr::null_mut(),
        ))?;
        Ok(set)
    }
}

fn check(result: c_int) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Does nothing until it is told to end, reaping orphans meanwhile.
pub fn pause() -> i32 {
    let Ok(signals) = block_signals() else { return 1 };
    loop {
        let mut signal = 0;
        // SAFETY: both point to values that outlive the call.
        if unsafe { libc::sigwait(&raw const signals, &raw mut signal) } != 0 {
            return 1;
        }
        match signal {
            libc::SIGCHLD => {
                reap(0);
            }
            libc::SIGINT | libc::SIGTERM => return 0,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(args: &[&str]) -> Vec<String> {
        args.iter().map(|arg| (*arg).to_owned()).collect()
    }

    #[test]
    fn options_end_where_the_command_begins() {
        let args = strings(&["-p", "--", "-x", "--"]);
        assert_eq!(
            parse(&args),
            Some(Options {
                group: true,
                command: &args[2..]
            })
        );
        let args = strings(&["sh", "-p"]);
        assert_eq!(
            parse(&args),
            Some(Options {
                group: false,
                command: &args[..]
            })
        );
        assert_eq!(parse(&strings(&["-q", "sh"])), None);
        assert_eq!(parse(&strings(&["--"])), None);
        assert_eq!(parse(&[]), None);
    }
}

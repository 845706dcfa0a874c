//! ContainerProcesses: what runs in a container, from `/proc`. An addition to Apple's service.

use std::collections::HashMap;
use std::fs;

use container_sandbox::proto::{ContainerProcess, ContainerProcessesRequest, ContainerProcessesResponse};

use crate::error::Result;
use crate::process::Processes;

/// Microseconds of one tick of `/proc/<pid>/stat`; every architecture's kernel tells user space that it ticks 100 times
/// a second.
const TICK: u64 = 10_000;

pub(super) fn list(
    processes: &Processes,
    request: &ContainerProcessesRequest,
) -> Result<ContainerProcessesResponse> {
    let container = processes.container(&request.container_id)?;
    let pids = container
        .cgroup()
        .map(|cgroup| cgroup.processes())
        .unwrap_or_default();
    // A process that has ended meanwhile has no files.
    let mut found: Vec<Found> = pids.into_iter().filter_map(read).collect();
    let inner: HashMap<i32, i32> = found.iter().map(|found| (found.pid, found.process.pid)).collect();
    for found in &mut found {
        found.process.parent = inner.get(&found.process.parent).copied().unwrap_or(0);
    }
    found.sort_by_key(|found| found.process.pid);
    Ok(ContainerProcessesResponse {
        processes: found.into_iter().map(|found| found.process).collect(),
    })
}

/// A process by its identifier in the guest; its parent's is that of the guest, too.
#[derive(Debug)]
struct Found {
    pid: i32,
    process: ContainerProcess,
}

fn read(pid: i32) -> Option<Found> {
    let file = |name| fs::read(format!("/proc/{pid}/{name}")).ok();
    let text = |name| file(name).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let process = parse(&text("status")?, &text("stat")?, &file("cmdline")?)?;
    Some(Found { pid, process })
}

fn parse(status: &str, stat: &str, arguments: &[u8]) -> Option<ContainerProcess> {
    let field = |name: &str| {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(|line| line.split_whitespace())
    };
    let number = |name: &str| field(name)?.next()?.parse::<u64>().ok();
    // The name in brackets may hold anything, a bracket included.
    let times: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| times.get(index).and_then(|ticks| ticks.parse::<u64>().ok());
    let words: Vec<_> = arguments
        .split(|byte| *byte == 0)
        .map(String::from_utf8_lossy)
        .collect();
    let command = words.join(" ");
    let command = match command.trim_end() {
        "" => format!("[{}]", field("Name")?.collect::<Vec<_>>().join(" ")),
        command => command.to_owned(),
    };
    Some(ContainerProcess {
        // The innermost namespace comes last.
        pid: field("NSpid")?.next_back()?.parse().ok()?,
        parent: i32::try_from(number("PPid")?).ok()?,
        uid: u32::try_from(number("Uid")?).ok()?,
        state: field("State")?.next()?.to_owned(),
        cpu_usec: (ticks(11)? + ticks(12)?) * TICK,
        memory_bytes: number("VmRSS").unwrap_or(0) * 1024,
        command,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tsh (x)\nState:\tS (sleeping)\nPPid:\t41\nUid:\t1000\t1000\t1000\t1000\n\
                          NSpid:\t57\t2\nVmRSS:\t     812 kB\n";
    const STAT: &str = "57 (sh (x)) S 41 57 57 0 -1 4194560 100 0 0 0 12 3 0 0 20 0 1 0 77 0 0";

    #[test]
    fn numbers_and_words() {
        let process = parse(STATUS, STAT, b"sh\0-c\0sleep 5\0").unwrap();
        let expected = ContainerProcess {
            pid: 2,
            parent: 41,
            uid: 1000,
            state: "S".into(),
            cpu_usec: 150_000,
            memory_bytes: 812 * 1024,
            command: "sh -c sleep 5".into(),
        };
        assert_eq!(process, expected);
        assert_eq!(parse(STATUS, STAT, b"").unwrap().command, "[sh (x)]");
        assert_eq!(parse("", STAT, b""), None);
        assert_eq!(parse(STATUS, "57", b""), None);
    }
}

//! ContainerStatistics (behaviour.md 29.3).

use std::fs;

use container_sandbox::proto::*;

use crate::cgroup::{Cgroup, counter};
use crate::error::Result;
use crate::process::{Container, Processes};

pub(super) fn collect(
    processes: &Processes,
    request: &ContainerStatisticsRequest,
) -> Result<ContainerStatisticsResponse> {
    let containers = if request.container_ids.is_empty() {
        processes.all()
    } else {
        request
            .container_ids
            .iter()
            .map(|id| processes.container(id))
            .collect::<Result<_>>()?
    };
    let wanted =
        |category| request.categories.is_empty() || request.categories().any(|found| found == category);
    let containers = containers
        .iter()
        .map(|container| one(container, &wanted))
        .collect();
    Ok(ContainerStatisticsResponse { containers })
}

fn one(container: &Container, wanted: &dyn Fn(StatCategory) -> bool) -> ContainerStats {
    let cgroup = container.cgroup();
    let group = |category| cgroup.filter(|_| wanted(category));
    ContainerStats {
        container_id: container.id().to_owned(),
        process: group(StatCategory::Process).map(process),
        memory: group(StatCategory::Memory).map(memory),
        cpu: group(StatCategory::Cpu).map(cpu),
        block_io: group(StatCategory::BlockIo).map(|cgroup| BlockIoStats {
            devices: block_io(&cgroup.read("io.stat").unwrap_or_default()),
        }),
        networks: match wanted(StatCategory::Network) {
            // The virtual machine's interfaces are the container's.
            true => networks(&fs::read_to_string("/proc/net/dev").unwrap_or_default()),
            false => Vec::new(),
        },
        memory_events: group(StatCategory::MemoryEvents).map(memory_events),
    }
}

/// A file that holds one number, or `max` for no limit.
fn number(cgroup: &Cgroup, file: &str) -> u64 {
    match cgroup.read(file) {
        Some(text) if text.trim() == "max" => u64::MAX,
        Some(text) => text.trim().parse().unwrap_or(0),
        None => 0,
    }
}

fn process(cgroup: &Cgroup) -> ProcessStats {
    ProcessStats {
        current: number(cgroup, "pids.current"),
        limit: number(cgroup, "pids.max"),
    }
}

fn memory(cgroup: &Cgroup) -> MemoryStats {
    let text = cgroup.read("memory.stat").unwrap_or_default();
    let stat = |name| counter(&text, name).unwrap_or(0);
    MemoryStats {
        usage_bytes: number(cgroup, "memory.current"),
        limit_bytes: number(cgroup, "memory.max"),
        swap_usage_bytes: number(cgroup, "memory.swap.current"),
        swap_limit_bytes: number(cgroup, "memory.swap.max"),
        cache_bytes: stat("file"),
        kernel_stack_bytes: stat("kernel_stack"),
        slab_bytes: stat("slab"),
        page_faults: stat("pgfault"),
        major_page_faults: stat("pgmajfault"),
        inactive_file: stat("inactive_file"),
        anon: stat("anon"),
        workingset_refault_anon: stat("workingset_refault_anon"),
        workingset_refault_file: stat("workingset_refault_file"),
        pgsteal_kswapd: stat("pgsteal_kswapd"),
        pgsteal_direct: stat("pgsteal_direct"),
        pgsteal_khugepaged: stat("pgsteal_khugepaged"),
    }
}

fn cpu(cgroup: &Cgroup) -> CpuStats {
    let text = cgroup.read("cpu.stat").unwrap_or_default();
    let stat = |name| counter(&text, name).unwrap_or(0);
    CpuStats {
        usage_usec: stat("usage_usec"),
        user_usec: stat("user_usec"),
        system_usec: stat("system_usec"),
        throttling_periods: stat("nr_periods"),
        throttled_periods: stat("nr_throttled"),
        throttled_time_usec: stat("throttled_usec"),
    }
}

fn memory_events(cgroup: &Cgroup) -> MemoryEventStats {
    let text = cgroup.read("memory.events").unwrap_or_default();
    let stat = |name| counter(&text, name).unwrap_or(0);
    MemoryEventStats {
        low: stat("low"),
        high: stat("high"),
        max: stat("max"),
        oom: stat("oom"),
        oom_kill: stat("oom_kill"),
        oom_group_kill: stat("oom_group_kill"),
    }
}

/// Lines of `io.stat`: `major:minor name=value…`.
fn block_io(text: &str) -> Vec<BlockIoEntry> {
    text.lines()
        .filter_map(|line| {
            let (device, counters) = line.split_once(' ')?;
            let (major, minor) = device.split_once(':')?;
            let counter = |name: &str| {
                let value = counters
                    .split(' ')
                    .find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
                value.and_then(|value| value.parse().ok()).unwrap_or(0)
            };
            Some(BlockIoEntry {
                major: major.parse().ok()?,
                minor: minor.parse().ok()?,
                read_bytes: counter("rbytes"),
                write_bytes: counter("wbytes"),
                read_operations: counter("rios"),
                write_operations: counter("wios"),
            })
        })
        .collect()
}

/// The `eth*` lines of `/proc/net/dev`: a name, then eight columns for each direction.
fn networks(text: &str) -> Vec<NetworkStats> {
    text.lines()
        .filter_map(|line| {
            let (name, counters) = line.split_once(':')?;
            let name = name.trim();
            let counters: Vec<u64> = counters
                .split_whitespace()
                .map_while(|word| word.parse().ok())
                .collect();
            if !name.starts_with("eth") || counters.len() < 11 {
                return None;
            }
            Some(NetworkStats {
                interface: name.to_owned(),
                received_bytes: counters[0],
                received_packets: counters[1],
                received_errors: counters[2],
                transmitted_bytes: counters[8],
                transmitted_packets: counters[9],
                transmitted_errors: counters[10],
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks() {
        let text = "254:0 rbytes=4096 wbytes=512 rios=1 wios=2 dbytes=0 dios=0\n7:0 \nbroken\n8:x rbytes=1\n";
        let devices = block_io(text);
        assert_eq!(devices.len(), 2);
        let expected = BlockIoEntry {
            major: 254,
            minor: 0,
            read_bytes: 4096,
            write_bytes: 512,
            read_operations: 1,
            write_operations: 2,
        };
        assert_eq!(devices[0], expected);
        assert_eq!(devices[1].read_bytes, 0);
    }

    #[test]
    fn interfaces_of_the_container() {
        let text = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 1 1 1 0 0 0 0 0 1 1 1 0 0 0 0 0
  eth0:    1000      10    3    0    0     0          0         0     2000      20    4    0    0     0       0          0
  eth1: 1 2
";
        let expected = NetworkStats {
            interface: "eth0".into(),
            received_packets: 10,
            transmitted_packets: 20,
            received_bytes: 1000,
            transmitted_bytes: 2000,
            received_errors: 3,
            transmitted_errors: 4,
        };
        assert_eq!(networks(text), [expected]);
    }
}

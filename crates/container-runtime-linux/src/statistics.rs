//! A container's counters (behaviour reference, 14.4 and 29.3).

use container_ipc::{Error, ErrorCode};
use container_resource::{ContainerStatistics, RunningProcess};
use container_sandbox::proto::{
    ContainerProcess, ContainerProcessesRequest, ContainerStatisticsRequest, ContainerStats,
};

use crate::process::{Guest, limited};

/// Reads the counters from the guest.
///
/// # Errors
/// The agent does not answer.
pub(crate) async fn read(guest: &Guest) -> Result<ContainerStatistics, Error> {
    let request = ContainerStatisticsRequest {
        container_ids: vec![guest.container.clone()],
        ..Default::default()
    };
    let reply = limited(guest.agent.container_statistics(request)).await?;
    let stats = reply.containers.into_iter().next();
    let stats = stats.ok_or_else(|| Error::new(ErrorCode::NotFound, "the guest knows no such container"))?;
    Ok(ContainerStatistics {
        host_memory_bytes: guest.machine.memory_in_use().ok(),
        ..convert(guest.container.clone(), &stats)
    })
}

/// Reads the list of processes from the guest.
///
/// # Errors
/// The agent does not answer.
pub(crate) async fn processes(guest: &Guest) -> Result<Vec<RunningProcess>, Error> {
    let request = ContainerProcessesRequest {
        container_id: guest.container.clone(),
    };
    let reply = limited(guest.agent.container_processes(request)).await?;
    let convert = |process: ContainerProcess| RunningProcess {
        pid: process.pid,
        parent_pid: process.parent,
        uid: process.uid,
        state: process.state,
        cpu_usage_usec: process.cpu_usec,
        memory_bytes: process.memory_bytes,
        command: process.command,
    };
    Ok(reply.processes.into_iter().map(convert).collect())
}

fn convert(id: String, stats: &ContainerStats) -> ContainerStatistics {
    let networks = &stats.networks;
    let block = stats.block_io.as_ref().map(|block| &block.devices);
    ContainerStatistics {
        id,
        memory_usage_bytes: stats.memory.as_ref().map(|memory| memory.usage_bytes),
        memory_limit_bytes: stats.memory.as_ref().map(|memory| memory.limit_bytes),
        cpu_usage_usec: stats.cpu.as_ref().map(|cpu| cpu.usage_usec),
        network_rx_bytes: Some(networks.iter().map(|network| network.received_bytes).sum()),
        network_tx_bytes: Some(networks.iter().map(|network| network.transmitted_bytes).sum()),
        block_read_bytes: block.map(|devices| devices.iter().map(|device| device.read_bytes).sum()),
        block_write_bytes: block.map(|devices| devices.iter().map(|device| device.write_bytes).sum()),
        num_processes: stats.process.as_ref().map(|process| process.current),
        host_memory_bytes: None,
    }
}

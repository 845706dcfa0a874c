//! CreateProcess, StartProcess, WaitProcess, KillProcess, ResizeProcess, CloseProcessStdin, DeleteProcess.

use container_sandbox::proto::*;
use prost_types::Timestamp;

use crate::error::{Error, Result};
use crate::process::{Exit, Ports, ProcessName, Processes};

/// Number of Linux's last signal.
const LAST_SIGNAL: i32 = 64;

pub(super) async fn create(
    processes: &Processes,
    request: CreateProcessRequest,
) -> Result<CreateProcessResponse> {
    if request.oci_runtime_path.is_some_and(|path| !path.is_empty()) {
        return Err(Error::Unsupported(
            "running containers with another OCI runtime is not supported".into(),
        ));
    }
    let name = ProcessName::new(request.id, request.container_id)?;
    let ports = Ports {
        stdin: request.stdin,
        stdout: request.stdout,
        stderr: request.stderr,
    };
    processes.create(name, ports, request.configuration).await?;
    Ok(CreateProcessResponse {})
}

pub(super) async fn start(
    processes: &Processes,
    request: StartProcessRequest,
) -> Result<StartProcessResponse> {
    let pid = processes
        .start(&ProcessName::new(request.id, request.container_id)?)
        .await?;
    Ok(StartProcessResponse { pid })
}

pub(super) async fn wait(processes: &Processes, request: WaitProcessRequest) -> Result<WaitProcessResponse> {
    let Exit { status, at } = processes
        .wait(&ProcessName::new(request.id, request.container_id)?)
        .await?;
    Ok(WaitProcessResponse {
        exit_code: status,
        exited_at: Some(Timestamp::from(at)),
    })
}

pub(super) fn kill(processes: &Processes, request: KillProcessRequest) -> Result<KillProcessResponse> {
    if !(0..=LAST_SIGNAL).contains(&request.signal) {
        return Err(Error::Invalid(format!("invalid signal {}", request.signal)));
    }
    processes.kill(
        &ProcessName::new(request.id, request.container_id)?,
        request.signal,
    )?;
    Ok(KillProcessResponse { result: 0 })
}

pub(super) fn resize(processes: &Processes, request: ResizeProcessRequest) -> Result<ResizeProcessResponse> {
    let name = ProcessName::new(request.id, request.container_id)?;
    let size = |value: u32| {
        u16::try_from(value).map_err(|_| Error::Invalid(format!("invalid terminal size {value}")))
    };
    processes.resize(&name, size(request.rows)?, size(request.columns)?)?;
    Ok(ResizeProcessResponse {})
}

pub(super) fn close_stdin(
    processes: &Processes,
    request: CloseProcessStdinRequest,
) -> Result<CloseProcessStdinResponse> {
    processes.close_stdin(&ProcessName::new(request.id, request.container_id)?)?;
    Ok(CloseProcessStdinResponse {})
}

pub(super) async fn delete(
    processes: &Processes,
    request: DeleteProcessRequest,
) -> Result<DeleteProcessResponse> {
    processes
        .delete(&ProcessName::new(request.id, request.container_id)?)
        .await?;
    Ok(DeleteProcessResponse {})
}

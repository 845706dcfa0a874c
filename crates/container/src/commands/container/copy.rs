//! `container copy`: copy a file or directory between host and container (behaviour.md 14.2).

use std::io;
use std::path::Path;

use clap::Args;
use container_client::ApiClient;
use container_client::api::{ContainerCopyInRequest, ContainerCopyOutRequest};

use crate::archive;
use crate::error::{Failure, Outcome};
use crate::flags::logging::LoggingFlags;
use crate::output;
use crate::output::target::Target;
use crate::parse::copy::{Place, base_name, parse};
use crate::services::Services;

/// Arguments of `container copy`.
#[derive(Args, Debug, Clone)]
pub struct Copy {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Local path or an absolute path in a container.
    #[arg(value_name = "source", help = "Local path or container:/abs/path")]
    pub source: String,
    /// Local path or an absolute path in a container.
    #[arg(value_name = "destination", help = "Local path or container:/abs/path")]
    pub destination: String,
}

impl Copy {
    pub(super) async fn run(self) -> Outcome {
        match (parse(&self.source)?, parse(&self.destination)?) {
            (Place::Container { .. }, Place::Container { .. }) => {
                Err(Failure::error("copying between containers is not supported"))
            }
            (Place::Container { id, path }, Place::Local(to)) => copy_out(id, path, &to).await,
            (Place::Container { id, path }, Place::Stream) => stream_out(id, path).await,
            (Place::Local(from), Place::Container { id, path }) => copy_in(&from, id, path).await,
            (Place::Stream, Place::Container { id, path }) => stream_in(id, path).await,
            _ => Err(Failure::error(
                "one of source or destination must be a container reference (container_id:path)",
            )),
        }
    }
}

async fn api() -> Result<ApiClient, Failure> {
    Ok(Services::from_environment()?.api().await?)
}

async fn copy_in(from: &str, id: String, path: String) -> Outcome {
    let bare = match from.trim_end_matches('/') {
        "" => from,
        bare => bare,
    };
    let Ok(found) = std::fs::metadata(bare) else {
        return Err(Failure::error(format!("source path does not exist: {from}")));
    };
    if from.ends_with('/') && !found.is_dir() {
        return Err(Failure::error(format!("source path is not a directory: {from}")));
    }
    let name = base_name(from).to_owned();
    let shown = if path.ends_with('/') {
        format!("{id}:{path}{name}")
    } else {
        format!("{id}:{path}")
    };
    let request = ContainerCopyInRequest {
        id,
        destination_path: path,
        source_name: Some(name),
        source_is_directory: found.is_dir(),
    };
    let api = api().await?;
    let (input, output) = pipe()?;
    let source = from.to_owned();
    let packing = tokio::task::spawn_blocking(move || archive::pack(Path::new(&source), output));
    let copied = api.copy_in(request, input.into()).await;
    let packed = packing.await.map_err(io::Error::other).flatten();
    match packed {
        // Whoever reads had a reason to stop.
        Err(error) if copied.is_ok() || error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::error(format!("failed to read {from}: {error}")))
        }
        _ => {
            copied?;
            output::print_line(&shown);
            Ok(0)
        }
    }
}

async fn stream_in(id: String, path: String) -> Outcome {
    let request = ContainerCopyInRequest {
        id,
        destination_path: path,
        source_name: None,
        source_is_directory: true,
    };
    let api = api().await?;
    let (input, output) = pipe()?;
    // In between, so that nobody else waits for what this process's terminal says.
    let reading = std::thread::spawn(move || io::copy(&mut io::stdin().lock(), &mut { output }));
    api.copy_in(request, input.into()).await?;
    match reading.join() {
        Ok(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::error(format!("failed to read standard input: {error}")))
        }
        _ => Ok(0),
    }
}

async fn stream_out(id: String, path: String) -> Outcome {
    let request = ContainerCopyOutRequest {
        id,
        name: base_name(&path).to_owned(),
        source_path: path,
    };
    let target = Target::open(None)?;
    api().await?.copy_out(request, target.descriptor()?).await?;
    Ok(0)
}

async fn copy_out(id: String, path: String, to: &str) -> Outcome {
    let local = Path::new(to);
    let (parent, name, shown) = if local.is_dir() {
        let name = base_name(&path).to_owned();
        let shown = local.join(&name).display().to_string();
        (local.to_owned(), name, shown)
    } else {
        let name = local.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| Failure::error(format!("invalid path given: {to}")))?;
        let parent = match local.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        (parent.to_owned(), name.to_owned(), to.to_owned())
    };
    let request = ContainerCopyOutRequest {
        id,
        source_path: path,
        name: name.clone(),
    };
    let api = api().await?;
    let (input, output) = pipe()?;
    let must_be_directory = to.ends_with('/') && !local.is_dir();
    let unpacking = {
        let to = to.to_owned();
        move || archive::unpack(input, &parent, &name, must_be_directory.then_some(to.as_str()))
    };
    let unpacking = tokio::task::spawn_blocking(unpacking);
    let copied = api.copy_out(request, output.into()).await;
    let unpacked = unpacking
        .await
        .unwrap_or_else(|panic| Err(io::Error::other(panic).into()));
    match (copied, unpacked) {
        // What the other side says of a reader that went away is no news.
        (_, Err(archive::Error::Local(text))) => Err(Failure::error(text)),
        (Err(error), _) => Err(error.into()),
        (Ok(()), Err(archive::Error::Archive(error))) => {
            Err(Failure::error(format!("failed to read the archive: {error}")))
        }
        (Ok(()), Ok(())) => {
            output::print_line(&shown);
            Ok(0)
        }
    }
}

fn pipe() -> Result<(io::PipeReader, io::PipeWriter), Failure> {
    io::pipe().map_err(|error| Failure::error(error.to_string()))
}

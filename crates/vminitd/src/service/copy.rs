//! Copy: one file, or a tree as a compressed archive, over a stream of its own. An addition to Apple's service are
//! trees that keep everything.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::pin::Pin;

use container_sandbox::proto::copy_request::Direction;
use container_sandbox::proto::copy_response::Status as Progress;
use container_sandbox::proto::{CopyRequest, CopyResponse};
use futures_util::Stream as Replying;
use rustix::fs::{FileType, Mode, OFlags};
use tokio::sync::mpsc;
use tokio_util::io::SyncIoBridge;
use tonic::Status;

use super::files::{DEFAULT_MODE, MODE_BITS};
use super::{archive, tree};
use crate::error::{Context, Error, Result};
use crate::rooted::Root;
use crate::transport::{Stream, Transport};

/// Replies of one copy.
pub(super) type Replies = Pin<Box<dyn Replying<Item = std::result::Result<CopyResponse, Status>> + Send>>;

/// Bytes that are moved at a time.
const CHUNK: usize = 128 * 1024;

pub(super) async fn copy(transport: Transport, request: CopyRequest) -> Result<Replies> {
    let port = request.vsock_port;
    let stream = transport
        .connect(port)
        .await
        .context(|| format!("failed to connect to host port {port}"))?;
    let (replies, receiver) = mpsc::channel(2);
    let stream = SyncIoBridge::new(stream);
    tokio::task::spawn_blocking(move || {
        let reply = match perform(&request, stream, &replies) {
            Ok(()) => CopyResponse {
                status: Progress::Complete.into(),
                ..CopyResponse::default()
            },
            Err(error) => CopyResponse {
                status: Progress::Complete.into(),
                error: error.to_string(),
                ..CopyResponse::default()
            },
        };
        // A host that went away does not want to know.
        let _ = replies.blocking_send(reply);
    });
    let next =
        async |mut receiver: mpsc::Receiver<CopyResponse>| Some((Ok(receiver.recv().await?), receiver));
    Ok(Box::pin(futures_util::stream::unfold(receiver, next)))
}

fn perform(
    request: &CopyRequest,
    stream: SyncIoBridge<Stream>,
    replies: &mpsc::Sender<CopyResponse>,
) -> Result<()> {
    let root = if request.root.is_empty() {
        "/"
    } else {
        &request.root
    };
    let root = Root::open(Path::new(root)).context(|| format!("failed to open {root}"))?;
    if request.is_tree {
        return copy_tree(&root, request, stream, replies);
    }
    match request.direction() {
        Direction::CopyIn => copy_in(&root, request, stream),
        Direction::CopyOut => copy_out(&root, request, stream, replies),
    }
}

fn copy_tree(
    root: &Root,
    request: &CopyRequest,
    mut stream: SyncIoBridge<Stream>,
    replies: &mpsc::Sender<CopyResponse>,
) -> Result<()> {
    let path = Path::new(&request.path);
    match request.direction() {
        Direction::CopyIn => {
            let from = BufReader::with_capacity(CHUNK, stream);
            tree::unpack(root, path, request.strip, from)
                .context(|| format!("failed to copy to {}", request.path))
        }
        Direction::CopyOut => {
            let what = || format!("failed to copy {}", request.path);
            // Said before the payload: the host can tell a path that is not there from a stream that broke.
            root.locate(path).context(what)?;
            let reply = CopyResponse {
                status: Progress::Metadata.into(),
                is_archive: true,
                ..CopyResponse::default()
            };
            replies
                .blocking_send(reply)
                .map_err(|_| Error::Internal("copy was cancelled".into()))?;
            let to = BufWriter::with_capacity(CHUNK, &mut stream);
            tree::pack(root, path, &request.name, request.one_file_system, to).context(what)?;
            stream.shutdown().context(what)
        }
    }
}

fn copy_in(root: &Root, request: &CopyRequest, mut stream: SyncIoBridge<Stream>) -> Result<()> {
    let path = Path::new(&request.path);
    let what = || format!("failed to copy to {}", request.path);
    if request.create_parents {
        root.parent_of(path).context(what)?;
    }
    if request.is_archive {
        return archive::unpack(root, path, stream).context(what);
    }
    let mode = if request.mode == 0 {
        DEFAULT_MODE
    } else {
        request.mode & MODE_BITS
    };
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = root
        .open_at(path, flags, Mode::from_raw_mode(mode))
        .context(what)?;
    move_bytes(&mut stream, &mut File::from(file)).context(what)?;
    Ok(())
}

fn copy_out(
    root: &Root,
    request: &CopyRequest,
    mut stream: SyncIoBridge<Stream>,
    replies: &mpsc::Sender<CopyResponse>,
) -> Result<()> {
    let path = Path::new(&request.path);
    let what = || format!("failed to copy {}", request.path);
    // Not blocking, so that a pipe without a writer is refused below instead of waited for here.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    let source = root.open_at(path, flags, Mode::empty()).context(what)?;
    let stat = rustix::fs::fstat(&source).context(what)?;
    let metadata = |is_archive, total_size| {
        let status = Progress::Metadata.into();
        let reply = CopyResponse {
            status,
            is_archive,
            total_size,
            error: String::new(),
        };
        replies
            .blocking_send(reply)
            .map_err(|_| Error::Internal("copy was cancelled".into()))
    };
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => {
            metadata(true, 0)?;
            archive::pack(source, &mut stream).context(what)?;
        }
        FileType::RegularFile => {
            metadata(false, stat.st_size as u64)?;
            move_bytes(&mut File::from(source), &mut stream).context(what)?;
        }
        _ => {
            return Err(Error::Invalid(format!(
                "{} is neither a file nor a directory",
                request.path
            )));
        }
    }
    stream.shutdown().context(what)
}

fn move_bytes(from: &mut impl Read, to: &mut impl Write) -> io::Result<u64> {
    let mut buffer = vec![0; CHUNK];
    let mut total = 0;
    loop {
        let amount = match from.read(&mut buffer) {
            Ok(0) => return Ok(total),
            Ok(amount) => amount,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        to.write_all(&buffer[..amount])?;
        total += amount as u64;
    }
}

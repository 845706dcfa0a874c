//! What connects this process and the runtime helper, and the threads that serve it.

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;

use container_client::Stdio;
use container_client::stdio::NOBODY_READS;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::FileType;
use rustix::io::Errno;
use tokio::sync::oneshot;

use super::Attachment;

/// The largest piece copied at once.
const CHUNK: usize = 64 * 1024;

/// The near ends of a process's standard streams.
#[derive(Debug)]
pub struct Streams {
    stdin: Option<OwnedFd>,
    stop: Option<OwnedFd>,
    outputs: Vec<oneshot::Receiver<()>>,
}

/// Makes what `attachment` needs and starts copying output. The far ends are for the service.
///
/// # Errors
/// There are no descriptors or threads left.
pub fn open(attachment: Attachment) -> io::Result<(Stdio, Streams)> {
    let mut far = Stdio::default();
    let (stopped, stop) = pipe()?;
    let mut near = Streams {
        stdin: None,
        stop: Some(stop),
        outputs: Vec::new(),
    };
    if attachment.detached {
        let stdin = io::stdin();
        // Neither a terminal nor /dev/null is worth it: the one is somebody's, and clients may come to take part later.
        let stat = rustix::fs::fstat(&stdin)?;
        let is_device = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice;
        if attachment.interactive && !is_device {
            far.stdin = Some(stdin.as_fd().try_clone_to_owned()?);
        }
        return Ok((far, near));
    }
    let stopped = Arc::new(stopped);
    if attachment.interactive {
        let (reader, writer) = pipe()?;
        far.stdin = Some(reader);
        near.stdin = Some(writer);
    }
    far.stdout = Some(near.output(rustix::stdio::stdout(), &stopped)?);
    if !attachment.tty {
        far.stderr = Some(near.output(rustix::stdio::stderr(), &stopped)?);
    }
    Ok((far, near))
}

/// A pipe's two ends, which programs that are started do not inherit.
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = io::pipe()?;
    Ok((reader.into(), writer.into()))
}

impl Streams {
    /// A socket from which a thread copies to `target`; gives the end that the service writes to.
    fn output(&mut self, target: BorrowedFd<'static>, stopped: &Arc<OwnedFd>) -> io::Result<OwnedFd> {
        let (near, far) = UnixStream::pair()?;
        let (done, finished) = oneshot::channel();
        let stopped = Arc::clone(stopped);
        thread::Builder::new().name("output".to_owned()).spawn(move || {
            copy_output(near, &stopped, target);
            let _ = done.send(());
        })?;
        self.outputs.push(finished);
        Ok(far.into())
    }

    /// Starts copying standard input, if the process reads it.
    ///
    /// # Errors
    /// There are no threads left.
    pub fn begin_input(&mut self) -> io::Result<()> {
        let Some(writer) = self.stdin.take() else {
            return Ok(());
        };
        // The thread may wait for a key for ever; the end of this process ends it.
        thread::Builder::new().name("input".to_owned()).spawn(move || {
            let mut buffer = vec![0; CHUNK];
            let _ = copy(rustix::stdio::stdin(), writer.as_fd(), &mut buffer);
        })?;
        Ok(())
    }

    /// Resolves when everything that has come for the terminal is written. Call it when the process has ended: what comes
    /// later is not waited for.
    pub async fn drain(&mut self) {
        self.stop = None;
        for finished in &mut self.outputs {
            // A thread that is gone has nothing left to write.
            let _ = finished.await;
        }
        self.outputs.clear();
    }
}

/// Copies a process's output, and tells the helper when nobody reads it any more.
fn copy_output(mut source: UnixStream, stopped: &OwnedFd, target: BorrowedFd<'_>) {
    if let Err(error) = copy_until_stopped(source.as_fd(), stopped, target)
        && error.kind() == io::ErrorKind::BrokenPipe
    {
        // Without this the helper takes the end of the socket for the end of this command.
        let _ = source.write_all(&[NOBODY_READS]);
    }
}

/// Copies until the end of `source`, or until `stopped` hangs up and `source` is empty.
fn copy_until_stopped(source: BorrowedFd<'_>, stopped: &OwnedFd, target: BorrowedFd<'_>) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let mut ready = [
            PollFd::from_borrowed_fd(source, PollFlags::IN),
            PollFd::from_borrowed_fd(stopped.as_fd(), PollFlags::IN),
        ];
        match poll(&mut ready, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if !ready[0].revents().is_empty() {
            match retry(|| rustix::io::read(source, &mut buffer))? {
                0 => return Ok(()),
                count => write_all(target, &buffer[..count])?,
            }
        } else if !ready[1].revents().is_empty() {
            return Ok(());
        }
    }
}

/// Copies until the end of `source`.
fn copy(source: BorrowedFd<'_>, target: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<()> {
    loop {
        match retry(|| rustix::io::read(source, &mut *buffer)) {
            Ok(0) => return Ok(()),
            Ok(count) => write_all(target, &buffer[..count])?,
            // Somebody who shares the descriptor has made it non-blocking.
            Err(Errno::AGAIN) => wait(source, PollFlags::IN)?,
            Err(error) => return Err(error.into()),
        }
    }
}

fn write_all(target: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match retry(|| rustix::io::write(target, bytes)) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::AGAIN) => wait(target, PollFlags::OUT)?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn wait(fd: BorrowedFd<'_>, flags: PollFlags) -> io::Result<()> {
    retry(|| poll(&mut [PollFd::from_borrowed_fd(fd, flags)], None))?;
    Ok(())
}

fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;

    use super::*;

    fn pipe() -> (OwnedFd, OwnedFd) {
        super::pipe().expect("a pipe")
    }

    #[test]
    fn what_is_in_the_pipe_when_it_stops_is_still_copied() {
        let ((source, far), (stopped, stop), (reader, target)) = (pipe(), pipe(), pipe());
        let mut far = File::from(far);
        far.write_all(&[7; 50_000]).expect("room in the pipe");
        drop(stop);
        // The far end stays open, as it does when a process left a child behind.
        copy_until_stopped(source.as_fd(), &stopped, target.as_fd()).expect("copied");
        drop(target);
        let mut text = Vec::new();
        File::from(reader).read_to_end(&mut text).expect("read");
        assert_eq!(text, [7; 50_000]);
    }

    #[test]
    fn the_end_of_the_source_ends_the_copy() {
        let ((source, far), (stopped, _stop), (_reader, target)) = (pipe(), pipe(), pipe());
        drop(far);
        copy_until_stopped(source.as_fd(), &stopped, target.as_fd()).expect("copied");
    }

    #[test]
    fn the_helper_is_told_that_nobody_reads() {
        let (near, mut far) = UnixStream::pair().expect("a socket");
        let ((stopped, _stop), (reader, target)) = (pipe(), pipe());
        drop(reader);
        far.write_all(b"x").expect("written");
        copy_output(near, &stopped, target.as_fd());
        let mut said = Vec::new();
        far.read_to_end(&mut said).expect("read");
        assert_eq!(said, [NOBODY_READS]);
    }

    #[test]
    fn a_non_blocking_target_is_waited_for() {
        let ((source, far), (stopped, _stop), (reader, target)) = (pipe(), pipe(), pipe());
        rustix::io::ioctl_fionbio(&target, true).expect("non-blocking");
        let writer = thread::spawn(move || File::from(far).write_all(&vec![1; 1 << 20]));
        let reading = thread::spawn(move || {
            let mut all = Vec::new();
            File::from(reader).read_to_end(&mut all).map(|_| all.len())
        });
        copy_until_stopped(source.as_fd(), &stopped, target.as_fd()).expect("copied");
        drop(target);
        writer.join().expect("the writer").expect("written");
        assert_eq!(reading.join().expect("the reader").expect("read"), 1 << 20);
    }
}

//! One process in the guest, with its streams.

use std::time::Instant;

use container_hypervisor::Connection;
use container_ipc::Error;
use container_sandbox::proto;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

use super::{Guest, ID, soon};

/// How a process ended, and what it said.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A process that was created.
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) stdin: Option<Connection>,
    pub(crate) stdout: Option<Connection>,
    pub(crate) stderr: Option<Connection>,
}

/// Which streams a process has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Streams {
    None,
    Output,
    All,
    Terminal,
}

impl Guest {
    /// Creates a process and accepts its streams.
    pub(crate) async fn create(&self, id: &str, spec: &Value, streams: Streams) -> Result<Session, Error> {
        let port = |wanted: bool| wanted.then(|| self.port());
        let stdin = port(matches!(streams, Streams::All | Streams::Terminal));
        let stdout = port(streams != Streams::None);
        let stderr = port(matches!(streams, Streams::Output | Streams::All));
        let accept = |port: Option<u32>| -> Option<JoinHandle<Connection>> {
            let mut listener = self.link.listen(port?);
            Some(tokio::spawn(async move { listener.accept().await }))
        };
        let accepted = [accept(stdin), accept(stdout), accept(stderr)];
        let request = proto::CreateProcessRequest {
            id: id.into(),
            container_id: Some(ID.into()),
            stdin,
            stdout,
            stderr,
            configuration: serde_json::to_vec(spec).unwrap(),
            ..proto::CreateProcessRequest::default()
        };
        soon(self.agent.create_process(request)).await?;
        let mut connections = Vec::new();
        for task in accepted {
            connections.push(match task {
                Some(task) => Some(soon(task).await.unwrap()),
                None => None,
            });
        }
        let mut connections = connections.into_iter();
        let mut next = || connections.next().flatten();
        Ok(Session {
            id: id.into(),
            stdin: next(),
            stdout: next(),
            stderr: next(),
        })
    }

    pub(crate) async fn start_process(&self, id: &str) -> Result<i32, Error> {
        let request = proto::StartProcessRequest {
            id: id.into(),
            container_id: Some(ID.into()),
        };
        soon(self.agent.start_process(request))
            .await
            .map(|reply| reply.pid)
    }

    pub(crate) async fn wait(&self, id: &str) -> Result<i32, Error> {
        let request = proto::WaitProcessRequest {
            id: id.into(),
            container_id: Some(ID.into()),
        };
        let reply = soon(self.agent.wait_process(request)).await?;
        assert!(reply.exited_at.is_some());
        Ok(reply.exit_code)
    }

    pub(crate) async fn kill(&self, id: &str, signal: i32) -> Result<i32, Error> {
        let request = proto::KillProcessRequest {
            id: id.into(),
            container_id: Some(ID.into()),
            signal,
        };
        soon(self.agent.kill_process(request))
            .await
            .map(|reply| reply.result)
    }

    pub(crate) async fn delete(&self, id: &str) -> Result<(), Error> {
        let request = proto::DeleteProcessRequest {
            id: id.into(),
            container_id: Some(ID.into()),
        };
        soon(self.agent.delete_process(request)).await.map(|_| ())
    }

    /// Runs a process to its end, with `input` as its standard input.
    pub(crate) async fn run(&self, id: &str, spec: &Value, input: Option<&[u8]>) -> Result<Outcome, Error> {
        let begun = Instant::now();
        let streams = if input.is_some() {
            Streams::All
        } else {
            Streams::Output
        };
        let mut session = self.create(id, spec, streams).await?;
        let started = self.start_process(id).await;
        if started.is_err() {
            self.delete(id).await.unwrap();
        }
        started?;
        let stdin = session.stdin.take();
        let feed = async {
            if let (Some(mut stdin), Some(input)) = (stdin, input) {
                // A process need not read all of it.
                let _ = stdin.write_all(input).await;
                let _ = stdin.shutdown().await;
                // Dropped, the stream would be reset.
                let _ = stdin.read_u8().await;
            }
        };
        let (stdout, stderr) = (session.stdout.take(), session.stderr.take());
        let read = async { tokio::join!(text(stdout), text(stderr)) };
        let (_, (stdout, stderr), status) = soon(async { tokio::join!(feed, read, self.wait(id)) }).await;
        let status = status?;
        self.delete(id).await?;
        eprintln!(
            "{} ms for {}",
            begun.elapsed().as_millis(),
            spec["process"]["args"]
        );
        Ok(Outcome {
            status,
            stdout,
            stderr,
        })
    }

    /// Runs a command as a container of its own.
    pub(crate) async fn container(&self, args: &[&str]) -> Outcome {
        self.run(ID, &self.spec(args), None).await.unwrap()
    }

    /// Runs a shell script as a container of its own; what it says.
    pub(crate) async fn script(&self, script: &str) -> String {
        let outcome = self.container(&["sh", "-c", script]).await;
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
        outcome.stdout
    }
}

/// Everything that a stream says until it ends properly.
pub(crate) async fn text(stream: Option<Connection>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        stream.read_to_end(&mut bytes).await.unwrap();
    }
    String::from_utf8(bytes).unwrap()
}

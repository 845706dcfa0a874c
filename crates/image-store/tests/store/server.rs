//! A registry in the test's own process, which serves a layout and misbehaves as it is told.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Layout, digest};

/// What the server does wrong, for requests whose path contains a text.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Closes the connection after so many bytes of the body; the header promises all of it.
    CutAfter(usize),
    /// Ends the body after so many bytes, as if that were all.
    EndAfter(usize),
    /// Changes a byte.
    Corrupt,
    /// Sends more than there is.
    Append(&'static [u8]),
    /// Answers with this status and these header lines.
    Status(&'static str, &'static str),
    /// Sends so many bytes and then nothing.
    StallAfter(usize),
    /// Serves whole bodies only.
    NoRanges,
}

/// How users identify themselves.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Auth {
    Open,
    /// Tokens, each good for so many requests; gotten with or without `user:secret`.
    Tokens {
        uses: usize,
        password: bool,
    },
    /// Tokens for whoever has the identity token `refresh-me`.
    IdentityTokens,
}

#[derive(Debug)]
struct State {
    layout: PathBuf,
    /// Reference → digest of a manifest.
    tags: HashMap<String, String>,
    faults: Vec<(String, Fault, usize)>,
    auth: Auth,
    /// Requests left for the current token.
    token_uses: usize,
    tokens: usize,
    with_digest_header: bool,
    requests: Vec<String>,
    /// Whether anybody has shown credentials.
    credentials_shown: bool,
}

/// The server; it ends with the test's runtime.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) host: String,
    state: Arc<Mutex<State>>,
}

impl Server {
    /// Serves every image of `layout` under the repository `app`, by tag.
    pub(crate) async fn start(layout: &Layout) -> Self {
        let index: Value = serde_json::from_slice(&fs::read(layout.dir.join("index.json")).unwrap()).unwrap();
        let tag = |descriptor: &Value| {
            let name = descriptor["annotations"]["org.opencontainers.image.ref.name"].as_str()?;
            Some((
                name.rsplit(':').next()?.to_owned(),
                descriptor["digest"].as_str()?.to_owned(),
            ))
        };
        let tags = index["manifests"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(tag)
            .collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(State {
            layout: layout.dir.clone(),
            tags,
            faults: Vec::new(),
            auth: Auth::Open,
            token_uses: 0,
            tokens: 0,
            with_digest_header: true,
            requests: Vec::new(),
            credentials_shown: false,
        }));
        let shared = Arc::clone(&state);
        let own_host = host.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (state, host) = (Arc::clone(&shared), own_host.clone());
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    // A peer that goes away ends its connection's task.
                    while answer(&mut stream, &state, &host).await.is_some() {}
                });
            }
        });
        Self { host, state }
    }

    /// Does `fault` for the next `times` requests whose path contains `path`.
    pub(crate) fn fault(&self, path: &str, fault: Fault, times: usize) {
        self.state
            .lock()
            .unwrap()
            .faults
            .push((path.to_owned(), fault, times));
    }

    pub(crate) fn set_auth(&self, auth: Auth) {
        self.state.lock().unwrap().auth = auth;
    }

    pub(crate) fn leave_out_digest_header(&self) {
        self.state.lock().unwrap().with_digest_header = false;
    }

    /// Whether anybody has shown it a password or a token.
    pub(crate) fn was_shown_credentials(&self) -> bool {
        self.state.lock().unwrap().credentials_shown
    }

    /// How many requests there were whose path and range, with a blank between them, contain `path`.
    pub(crate) fn requests(&self, path: &str) -> usize {
        self.state
            .lock()
            .unwrap()
            .requests
            .iter()
            .filter(|request| request.contains(path))
            .count()
    }
}

/// What one request asks for.
struct Asked {
    path: String,
    authorization: Option<String>,
    range: Option<String>,
    body: String,
}

/// What is sent for one request.
struct Answer {
    status: String,
    headers: String,
    body: Vec<u8>,
    /// Bytes of the body to send before the connection is closed, or left alone.
    cut: Option<(usize, bool)>,
}

impl Answer {
    fn new(status: &str, headers: &str, body: Vec<u8>) -> Self {
        Self {
            status: status.to_owned(),
            headers: headers.to_owned(),
            body,
            cut: None,
        }
    }
}

/// Reads one request and answers it; none when the connection is over.
async fn answer(stream: &mut BufReader<TcpStream>, state: &Mutex<State>, host: &str) -> Option<()> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let target = lines.first()?.split(' ').nth(1)?;
    // To a proxy, clients name the whole URL.
    let path = target
        .strip_prefix("http://")
        .and_then(|url| Some(&url[url.find('/')?..]))
        .unwrap_or(target)
        .to_owned();
    let header = |name: &str| {
        lines.iter().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let length = header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let request = Asked {
        path,
        authorization: header("authorization"),
        range: header("range"),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let answer = state.lock().unwrap().answer(&request, host);
    let head = format!(
        "HTTP/1.1 {}\r\ncontent-length: {}\r\n{}\r\n",
        answer.status,
        answer.body.len(),
        answer.headers
    );
    stream.write_all(head.as_bytes()).await.ok()?;
    let end = answer
        .cut
        .map_or(answer.body.len(), |(end, _)| end.min(answer.body.len()));
    stream.write_all(&answer.body[..end]).await.ok()?;
    stream.flush().await.ok()?;
    match answer.cut {
        None => Some(()),
        Some((_, true)) => None,
        Some((_, false)) => {
            // Longer than any test waits; the task is dropped with the test's runtime.
            tokio::time::sleep(Duration::from_secs(3600)).await;
            None
        }
    }
}

impl State {
    fn answer(&mut self, asked: &Asked, host: &str) -> Answer {
        let path = asked.path.as_str();
        self.credentials_shown |= asked.authorization.is_some();
        let range = asked.range.as_deref().unwrap_or_default();
        self.requests.push(format!("{path} {range}"));
        if path.starts_with("/token") {
            return match self.fault_for(path) {
                Some(Fault::Status(status, headers)) => Answer::new(status, headers, Vec::new()),
                _ => self.token(asked),
            };
        }
        if !self.authorized(asked.authorization.as_deref()) {
            let challenge =
                format!("www-authenticate: Bearer realm=\"http://{host}/token\",service=\"test\"\r\n");
            return Answer::new("401 Unauthorized", &challenge, Vec::new());
        }
        if path == "/v2/" {
            return Answer::new("200 OK", "", b"{}".to_vec());
        }
        let mut answer = self.find(path);
        let fault = self.fault_for(path);
        let start = asked.range.as_ref().and_then(|range| {
            range
                .strip_prefix("bytes=")?
                .strip_suffix('-')?
                .parse::<usize>()
                .ok()
        });
        if let Some(start) = start
            && !matches!(fault, Some(Fault::NoRanges))
        {
            let size = answer.body.len();
            answer.body.drain(..start);
            answer.status = "206 Partial Content".to_owned();
            answer.headers = format!("content-range: bytes {start}-{}/{size}\r\n", size - 1);
        }
        match fault {
            None | Some(Fault::NoRanges) => {}
            Some(Fault::CutAfter(bytes)) => answer.cut = Some((bytes, true)),
            Some(Fault::StallAfter(bytes)) => answer.cut = Some((bytes, false)),
            Some(Fault::EndAfter(bytes)) => answer.body.truncate(bytes),
            Some(Fault::Corrupt) => answer.body[10] ^= 1,
            Some(Fault::Append(more)) => answer.body.extend_from_slice(more),
            Some(Fault::Status(status, headers)) => return Answer::new(status, headers, Vec::new()),
        }
        answer
    }

    /// What goes wrong with this request.
    fn fault_for(&mut self, path: &str) -> Option<Fault> {
        let mut faults = self.faults.iter_mut();
        let (_, fault, times) = faults.find(|(part, _, times)| *times > 0 && path.contains(part.as_str()))?;
        *times -= 1;
        Some(fault.clone())
    }

    fn token(&mut self, asked: &Asked) -> Answer {
        let (uses, known) = match self.auth {
            Auth::Open => return Answer::new("404 Not Found", "", Vec::new()),
            // `user:secret`
            Auth::Tokens { uses, password } => (
                uses,
                !password || asked.authorization.as_deref() == Some("Basic dXNlcjpzZWNyZXQ="),
            ),
            Auth::IdentityTokens => {
                let wanted = [
                    "grant_type=refresh_token",
                    "refresh_token=refresh-me",
                    "service=test",
                ];
                (100, wanted.iter().all(|part| asked.body.contains(part)))
            }
        };
        if !known {
            return Answer::new(
                "401 Unauthorized",
                "",
                br#"{"errors":[{"code":"UNAUTHORIZED","message":"wrong password"}]}"#.to_vec(),
            );
        }
        self.tokens += 1;
        self.token_uses = uses;
        Answer::new(
            "200 OK",
            "",
            format!(r#"{{"token":"token-{}"}}"#, self.tokens).into_bytes(),
        )
    }

    fn authorized(&mut self, authorization: Option<&str>) -> bool {
        if self.auth == Auth::Open {
            return true;
        }
        let current = format!("Bearer token-{}", self.tokens);
        if self.token_uses == 0 || authorization != Some(&current) {
            return false;
        }
        self.token_uses -= 1;
        true
    }

    fn find(&self, path: &str) -> Answer {
        let missing = || {
            Answer::new(
                "404 Not Found",
                "",
                br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#.to_vec(),
            )
        };
        let Some(rest) = path.strip_prefix("/v2/app/") else {
            return missing();
        };
        let Some((kind, name)) = rest.split_once('/') else {
            return missing();
        };
        let name = self.tags.get(name).map_or(name, String::as_str);
        let Some(hex) = name.strip_prefix("sha256:") else {
            return missing();
        };
        let Ok(body) = fs::read(self.layout.join("blobs/sha256").join(hex)) else {
            return missing();
        };
        let mut headers = String::new();
        if kind == "manifests" {
            let media_type: Value = serde_json::from_slice(&body).unwrap();
            headers = format!("content-type: {}\r\n", media_type["mediaType"].as_str().unwrap());
            if self.with_digest_header {
                headers.push_str(&format!("docker-content-digest: {}\r\n", digest(&body)));
            }
        }
        Answer::new("200 OK", &headers, body)
    }
}

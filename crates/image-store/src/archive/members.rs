//! The members of an archive, staged one after the other.

use std::cell::Cell;
use std::collections::HashMap;
use std::io::{self, Read};
use std::path::{Component, Path};
use std::rc::Rc;

use oci_spec::image::Digest;
use tokio_util::sync::CancellationToken;

use crate::blob::{CHUNK, Expected, Staged};
use crate::content::Ingest;
use crate::error::Result;
use crate::{Error, digest};

/// The most members an archive of images may have; the largest real ones have a few hundred.
const MAX_MEMBERS: usize = 65_536;

/// The most bytes of headers that one member may have: its name and its link's target among them.
const MAX_HEADERS: u64 = 1 << 20;

/// The most bytes that an archive may have when it is decompressed: 256 GiB, as many as the layers of an image may have.
const MAX_BYTES: u64 = 256 << 30;

/// How much padding behind the end marker is looked at, in bytes.
const MAX_PADDING: u64 = 1 << 20;

/// Where blobs are in a layout.
pub(super) const BLOBS: &str = "blobs/sha256/";

/// What an archive holds, by normalised name.
#[derive(Debug, Default)]
pub(super) struct Members {
    /// Regular files, staged.
    pub(super) files: HashMap<String, Staged>,
    /// Symbolic links inside the archive, with their resolved targets.
    pub(super) links: HashMap<String, String>,
    /// Names of members that are not taken.
    pub(super) rejected: Vec<String>,
}

impl Members {
    /// Reads the whole archive. Blobs of a layout are compared with the digest in their name.
    pub(super) fn stage(
        reader: Box<dyn Read>,
        path: &Path,
        ingest: &Ingest,
        cancelled: &CancellationToken,
    ) -> Result<Self> {
        let archive_error = |reason: String| Error::Archive {
            path: path.to_owned(),
            reason,
        };
        let mut members = Self::default();
        let limits = Rc::new(Limits::default());
        let failed = |error: &io::Error, begun: bool| match limits.broken.get() {
            Some(_) if cancelled.is_cancelled() => Error::Cancelled,
            Some(reason) => archive_error(reason.to_owned()),
            None => archive_error(describe(error, begun)),
        };
        let mut archive = tar::Archive::new(Watched::new(reader, Rc::clone(&limits), cancelled));
        let mut entries = archive
            .entries()
            .map_err(|error| archive_error(error.to_string()))?;
        let mut chunk = vec![0; CHUNK];
        let mut begun = false;
        // Bytes of the last member that were not read.
        let mut rest = 0;
        loop {
            limits.header.set(Some(MAX_HEADERS.saturating_add(rest)));
            let Some(entry) = entries.next() else { break };
            limits.header.set(None);
            let mut entry = entry.map_err(|error| failed(&error, begun))?;
            begun = true;
            let raw = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let kind = entry.header().entry_type();
            // What a sparse file takes in the archive is not told; there is no use for one.
            rest = if kind.is_gnu_sparse() { 0 } else { entry.size() };
            if members.files.len() + members.links.len() + members.rejected.len() >= MAX_MEMBERS {
                return Err(archive_error(format!("it has more than {MAX_MEMBERS} members")));
            }
            let name = normal_name(&raw);
            match (kind, name) {
                (tar::EntryType::XGlobalHeader, _) | (tar::EntryType::Directory, Some(_)) => {}
                (tar::EntryType::Regular | tar::EntryType::Continuous, Some(name)) => {
                    let expected = blob_digest(&name).map(|digest| Expected { digest, size: None });
                    let mut writer = ingest.writer(expected)?;
                    loop {
                        match entry.read(&mut chunk) {
                            Ok(0) => break,
                            Ok(n) => writer.write(&chunk[..n])?,
                            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                            Err(error) => return Err(failed(&error, begun)),
                        }
                    }
                    if writer.written() != entry.size() {
                        return Err(archive_error(TRUNCATED.to_owned()));
                    }
                    rest = 0;
                    members.links.remove(&name);
                    members.files.insert(name, writer.finish()?);
                }
                (tar::EntryType::Symlink, Some(name)) => {
                    let target = entry.link_name_bytes().unwrap_or_default();
                    match link_target(&name, &String::from_utf8_lossy(&target)) {
                        Some(target) => {
                            members.files.remove(&name);
                            members.links.insert(name, target);
                        }
                        None => members.rejected.push(raw),
                    }
                }
                _ => members.rejected.push(raw),
            }
        }
        let mut rest = archive.into_inner();
        if !rest.is_ended() {
            // An archive that was cut between two members can only be told from a whole one by its end marker.
            return Err(archive_error(TRUNCATED.to_owned()));
        }
        // Reading the padding lets the decompressor check the stream's end.
        io::copy(&mut rest.by_ref().take(MAX_PADDING), &mut io::sink())
            .map_err(|error| failed(&error, begun))?;
        Ok(members)
    }

    /// The name of the file that `name` is or leads to.
    pub(super) fn resolve<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        let mut name = name;
        for _ in 0..16 {
            match self.links.get(name) {
                Some(target) => name = target,
                None => return Some(name),
            }
        }
        None
    }
}

const TRUNCATED: &str = "the archive is truncated";

/// What a failure to read says about the archive; `begun` when at least one member was read.
fn describe(error: &io::Error, begun: bool) -> String {
    let mut texts = vec![error.to_string()];
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        texts.push(cause.to_string());
        source = cause.source();
    }
    // The tar and gzip readers tell these apart by text only.
    let cut = |text: &String| {
        [
            "unexpected EOF",
            "unexpected end of file",
            "failed to read entire block",
            "incomplete frame",
        ]
        .iter()
        .any(|sign| text.contains(sign))
    };
    if error.kind() == io::ErrorKind::UnexpectedEof || texts.iter().any(cut) {
        TRUNCATED.to_owned()
    } else if begun {
        format!("the archive is damaged: {}", texts.join(": "))
    } else {
        "it is not a tar archive".to_owned()
    }
}

/// The name without `.` and empty components; none when it is absolute, climbs, or is empty.
fn normal_name(name: &str) -> Option<String> {
    let mut parts = Vec::new();
    for component in Path::new(name).components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    // A lone `./` is the archive's own directory.
    (!name.is_empty()).then(|| parts.join("/"))
}

/// Where a symbolic link leads inside the archive; none when it leads out.
fn link_target(link: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = link.split('/').collect();
    parts.pop();
    for component in Path::new(target).components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::CurDir => {}
            Component::ParentDir => {
                parts.pop()?;
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// The digest that a blob's name promises.
fn blob_digest(name: &str) -> Option<Digest> {
    name.strip_prefix(BLOBS).and_then(digest::from_hex)
}

/// What may still be read of an archive. The reader of headers keeps them in memory, however long they say they are.
#[derive(Debug, Default)]
struct Limits {
    /// Bytes up to the next member, while it is looked for.
    header: Cell<Option<u64>>,
    /// Which limit was reached.
    broken: Cell<Option<&'static str>>,
}

/// Passes an archive through, keeps to limits, and notices whether it was cut before its end marker, two blocks of zeros.
struct Watched<'a> {
    reader: Box<dyn Read>,
    limits: Rc<Limits>,
    cancelled: &'a CancellationToken,
    /// Bytes of the archive that were read.
    total: u64,
    /// Bytes of zeros that were read last.
    zeros: usize,
    /// Whether more was asked for than there was.
    exhausted: bool,
}

impl<'a> Watched<'a> {
    fn new(reader: Box<dyn Read>, limits: Rc<Limits>, cancelled: &'a CancellationToken) -> Self {
        Self {
            reader,
            limits,
            cancelled,
            total: 0,
            zeros: 0,
            exhausted: false,
        }
    }

    fn stop(&self, reason: &'static str) -> io::Error {
        self.limits.broken.set(Some(reason));
        io::Error::other(reason)
    }

    /// Once the members are read: whether the end marker, or at least its first block, came after them.
    fn is_ended(&self) -> bool {
        !self.exhausted || self.zeros >= 512
    }
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancelled.is_cancelled() {
            return Err(self.stop("the operation was cancelled"));
        }
        let n = self.reader.read(buffer)?;
        self.total += n as u64;
        if self.total > MAX_BYTES {
            return Err(self.stop("it has more than 256 GiB"));
        }
        if let Some(left) = self.limits.header.get() {
            let Some(left) = left.checked_sub(n as u64) else {
                return Err(self.stop("a member's header has more than 1 MiB"));
            };
            self.limits.header.set(Some(left));
        }
        let trailing = buffer[..n].iter().rev().take_while(|byte| **byte == 0).count();
        self.zeros = if trailing == n {
            self.zeros.saturating_add(n)
        } else {
            trailing
        };
        self.exhausted |= n == 0;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(
            normal_name("./blobs//sha256/x").as_deref(),
            Some("blobs/sha256/x")
        );
        assert_eq!(normal_name("a/").as_deref(), Some("a"));
        assert_eq!(normal_name("./").as_deref(), Some(""));
        for name in ["/etc/passwd", "../x", "a/../../x", "a/..", ""] {
            assert_eq!(normal_name(name), None, "{name}");
        }
    }

    #[test]
    fn links_stay_inside() {
        assert_eq!(
            link_target("a/layer.tar", "../b/layer.tar").as_deref(),
            Some("b/layer.tar")
        );
        assert_eq!(link_target("a", "./b").as_deref(), Some("b"));
        for target in ["/etc/passwd", "../../x", "..", ""] {
            assert_eq!(link_target("a/b", target).filter(|t| t != "a"), None, "{target}");
        }
    }

    #[test]
    fn links_without_end_lead_nowhere() {
        let mut members = Members::default();
        members.links.insert("a".into(), "b".into());
        members.links.insert("b".into(), "a".into());
        assert_eq!(members.resolve("a"), None);
        assert_eq!(members.resolve("c"), Some("c"));
    }
}

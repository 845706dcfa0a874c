//! Reader of tar archives: ustar, PAX, GNU and star headers, sparse files of all four kinds.
//!
//! Headers, extended headers and maps of sparse files are parsed by pure functions of bytes.

mod archive;
mod header;
mod pax;
mod sparse;

pub use archive::{Archive, Entry, Kind, Sink, Stream};
pub use header::{Header, HeaderBlock, parse as parse_header};
pub use pax::{Extensions, parse as parse_extensions};
pub use sparse::{Segment, parse_list as parse_sparse_list};

/// Bytes of a header, and the unit to which contents are padded.
pub const BLOCK: usize = 512;

/// A point in time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Time {
    /// Seconds since 1970, negative before.
    pub seconds: i64,
    /// Nanoseconds after that second.
    pub nanoseconds: u32,
}

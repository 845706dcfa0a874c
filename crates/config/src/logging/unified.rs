//! The unified log of macOS as a place for events.
//!
//! A message of the log is a format and its arguments, which the C macros of `<os/log.h>` lay out at compile time. Here
//! the format is always `%{public}s`, so the layout is too: see [`Arguments`].

use std::ffi::{CString, c_char, c_void};
use std::io::{self, Write};
use std::ptr::NonNull;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// `os_log_type_t`
mod kind {
    pub(super) const DEFAULT: u8 = 0x00;
    pub(super) const INFO: u8 = 0x01;
    pub(super) const DEBUG: u8 = 0x02;
    pub(super) const ERROR: u8 = 0x10;
}

unsafe extern "C" {
    /// Where this program begins in memory: the log keeps formats as distances from there.
    static __dso_handle: u8;

    fn os_log_create(subsystem: *const c_char, category: *const c_char) -> *mut c_void;
    fn _os_log_impl(
        dso: *const c_void,
        log: *mut c_void,
        kind: u8,
        format: *const c_char,
        arguments: *const Arguments,
        size: u32,
    );
}

/// Formats have to be in this section.
#[unsafe(link_section = "__TEXT,__oslogstring,cstring_literals")]
static FORMAT: [u8; 11] = *b"%{public}s\0";

/// One public string as an argument.
#[repr(C, packed)]
struct Arguments {
    /// Bit 1: there are arguments that are no numbers.
    summary: u8,
    count: u8,
    /// In the upper half what it is (2, a string), in the lower who may see it (2, everybody).
    descriptor: u8,
    size: u8,
    text: *const c_char,
}

/// The log of one program.
#[derive(Debug)]
pub(super) struct UnifiedLog(NonNull<c_void>);

// SAFETY: a log is never freed, and any thread may write to it at any time.
unsafe impl Send for UnifiedLog {}
// SAFETY: as above.
unsafe impl Sync for UnifiedLog {}

impl UnifiedLog {
    /// The log of this subsystem and category; `None` when it cannot be had.
    pub(super) fn open(subsystem: &str, category: &str) -> Option<Self> {
        let (subsystem, category) = (CString::new(subsystem).ok()?, CString::new(category).ok()?);
        // SAFETY: two C strings, which are copied. The log lives as long as the process.
        NonNull::new(unsafe { os_log_create(subsystem.as_ptr(), category.as_ptr()) }).map(Self)
    }

    fn write(&self, kind: u8, text: &[u8]) {
        // What cannot be part of a C string is left out.
        let text: Vec<u8> = text.iter().copied().filter(|byte| *byte != 0).collect();
        let Ok(text) = CString::new(text) else {
            return;
        };
        let arguments = Arguments {
            summary: 2,
            count: 1,
            descriptor: 0x22,
            size: 8,
            text: text.as_ptr(),
        };
        let size = u32::try_from(size_of::<Arguments>()).unwrap_or(0);
        // SAFETY: a log that lives, a format in the section for formats, and arguments as it says, all of which live
        // longer than the call.
        unsafe {
            _os_log_impl(
                (&raw const __dso_handle).cast(),
                self.0.as_ptr(),
                kind,
                FORMAT.as_ptr().cast(),
                &raw const arguments,
                size,
            );
        }
    }
}

impl<'a> MakeWriter<'a> for UnifiedLog {
    type Writer = Event<'a>;

    fn make_writer(&'a self) -> Event<'a> {
        Event {
            log: self,
            kind: kind::DEFAULT,
            text: Vec::new(),
        }
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Event<'a> {
        let kind = match *event.level() {
            Level::ERROR => kind::ERROR,
            Level::WARN => kind::DEFAULT,
            Level::INFO => kind::INFO,
            _ => kind::DEBUG,
        };
        Event {
            log: self,
            kind,
            text: Vec::new(),
        }
    }
}

/// The text of one event, logged when it is complete.
#[derive(Debug)]
pub(super) struct Event<'a> {
    log: &'a UnifiedLog,
    kind: u8,
    text: Vec<u8>,
}

impl Write for Event<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Event<'_> {
    fn drop(&mut self) {
        self.log.write(self.kind, self.text.trim_ascii_end());
    }
}

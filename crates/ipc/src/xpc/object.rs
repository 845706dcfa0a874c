//! Owned objects of libxpc.

use std::ffi::CStr;
use std::fmt;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::{self, NonNull};

use super::sys;
use crate::transport::Peer;

/// A reference to an object of libxpc.
pub(super) struct Object(NonNull<std::ffi::c_void>);

// SAFETY: reference counts of libxpc are atomic. Dictionaries and arrays are changed by their maker alone, before they
// are handed on.
unsafe impl Send for Object {}
// SAFETY: as above; what is shared here are connections and endpoints, which any thread may use at any time.
unsafe impl Sync for Object {}

impl Drop for Object {
    fn drop(&mut self) {
        // SAFETY: this value owns one reference.
        unsafe { sys::xpc_release(self.0.as_ptr()) }
    }
}

impl Clone for Object {
    fn clone(&self) -> Self {
        // SAFETY: the object lives as long as this reference to it.
        unsafe { sys::xpc_retain(self.0.as_ptr()) };
        Self(self.0)
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({:p})", self.0)
    }
}

/// What an object is, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A client's connection, which a listener gets.
    Connection,
    /// A message.
    Dictionary,
    /// The connection is gone, be it that the peer ended, that its name is unknown, or that it was cancelled here.
    End,
    /// Nothing that is expected.
    Other,
}

impl Object {
    /// Takes over a reference; `None` for a null pointer.
    ///
    /// # Safety
    /// `object` is null or a reference that belongs to the caller.
    pub(super) unsafe fn owned(object: sys::XpcObject) -> Option<Self> {
        NonNull::new(object).map(Self)
    }

    /// Makes a further reference; `None` for a null pointer.
    ///
    /// # Safety
    /// `object` is null or an object that is alive.
    pub(super) unsafe fn borrowed(object: sys::XpcObject) -> Option<Self> {
        let object = NonNull::new(object)?;
        // SAFETY: the caller says that it is alive.
        unsafe { sys::xpc_retain(object.as_ptr()) };
        Some(Self(object))
    }

    /// The pointer, for calls that do not take the reference over.
    pub(super) fn as_ptr(&self) -> sys::XpcObject {
        self.0.as_ptr()
    }

    pub(super) fn kind(&self) -> Kind {
        // SAFETY: any object may be asked for its type; only addresses of the descriptions are compared.
        let kind = unsafe { sys::xpc_get_type(self.as_ptr()) };
        let is = |description: *const sys::Opaque| kind == description.cast();
        if is(&raw const sys::_xpc_type_dictionary) {
            Kind::Dictionary
        } else if is(&raw const sys::_xpc_type_connection) {
            Kind::Connection
        } else if is(&raw const sys::_xpc_type_error)
            && !self.is(&raw const sys::_xpc_error_termination_imminent)
        {
            Kind::End
        } else {
            Kind::Other
        }
    }

    /// Whether this is the error that a connection gets which cannot be made or was cancelled.
    pub(super) fn is_invalid_connection(&self) -> bool {
        self.is(&raw const sys::_xpc_error_connection_invalid)
    }

    fn is(&self, global: *const sys::Opaque) -> bool {
        ptr::eq(self.as_ptr().cast_const().cast(), global)
    }

    /// An empty dictionary.
    pub(super) fn dictionary() -> Self {
        // SAFETY: no keys and no values; the call never gives null.
        let made = unsafe { Self::owned(sys::xpc_dictionary_create(ptr::null(), ptr::null(), 0)) };
        made.unwrap_or_else(|| unreachable!("libxpc ends the process when it has no memory"))
    }

    /// The answer to a received message; `None` when its sender waits for none.
    pub(super) fn reply(&self) -> Option<Self> {
        // SAFETY: the reference is a dictionary's, and what the call makes is ours.
        unsafe { Self::owned(sys::xpc_dictionary_create_reply(self.as_ptr())) }
    }

    pub(super) fn set_number(&self, key: &CStr, value: u64) {
        // SAFETY: a dictionary of ours and a C string.
        unsafe { sys::xpc_dictionary_set_uint64(self.as_ptr(), key.as_ptr(), value) }
    }

    /// Zero when there is none.
    pub(super) fn number(&self, key: &CStr) -> u64 {
        // SAFETY: a dictionary and a C string; other types of values give zero.
        unsafe { sys::xpc_dictionary_get_uint64(self.as_ptr(), key.as_ptr()) }
    }

    /// Copies `bytes` into the dictionary.
    pub(super) fn set_data(&self, key: &CStr, bytes: &[u8]) {
        // SAFETY: the pointer and the length are those of a slice, which is copied.
        unsafe {
            sys::xpc_dictionary_set_data(self.as_ptr(), key.as_ptr(), bytes.as_ptr().cast(), bytes.len());
        }
    }

    pub(super) fn data(&self, key: &CStr) -> Option<&[u8]> {
        let mut length = 0;
        // SAFETY: a dictionary and a C string; values of other types give null.
        let bytes = unsafe { sys::xpc_dictionary_get_data(self.as_ptr(), key.as_ptr(), &raw mut length) };
        let bytes = NonNull::new(bytes.cast_mut())?.cast::<u8>();
        // SAFETY: the bytes belong to the dictionary, which this borrows and nobody changes.
        Some(unsafe { std::slice::from_raw_parts(bytes.as_ptr(), length) })
    }

    /// Puts copies of `descriptors` into the dictionary. False when one cannot be copied.
    pub(super) fn set_descriptors<'a>(
        &self,
        key: &CStr,
        descriptors: impl Iterator<Item = BorrowedFd<'a>>,
    ) -> bool {
        // SAFETY: an empty array, which is ours.
        let Some(array) = (unsafe { Self::owned(sys::xpc_array_create(ptr::null(), 0)) }) else {
            return false;
        };
        for descriptor in descriptors {
            // SAFETY: the descriptor is open; the object has a copy of it, and is ours.
            let Some(copy) = (unsafe { Self::owned(sys::xpc_fd_create(descriptor.as_raw_fd())) }) else {
                return false;
            };
            // SAFETY: both are ours; the array makes a reference of its own.
            unsafe { sys::xpc_array_append_value(array.as_ptr(), copy.as_ptr()) };
        }
        // SAFETY: both are ours; the dictionary makes a reference of its own.
        unsafe { sys::xpc_dictionary_set_value(self.as_ptr(), key.as_ptr(), array.as_ptr()) };
        true
    }

    /// How many values the array at `key` has; zero when there is none.
    pub(super) fn count(&self, key: &CStr) -> usize {
        self.array(key).map_or(0, |array| {
            // SAFETY: an array that is alive.
            unsafe { sys::xpc_array_get_count(array.as_ptr()) }
        })
    }

    /// Copies of the descriptors in the array at `key`; `None` when it has anything else in it.
    pub(super) fn descriptors(&self, key: &CStr) -> Option<Vec<OwnedFd>> {
        let Some(array) = self.array(key) else {
            return Some(Vec::new());
        };
        (0..self.count(key))
            .map(|index| {
                // SAFETY: an array that is alive, and an index within it; other values give -1.
                let number = unsafe { sys::xpc_array_dup_fd(array.as_ptr(), index) };
                // SAFETY: a number that is not negative is a new descriptor, which is ours.
                (number >= 0).then(|| unsafe { OwnedFd::from_raw_fd(number) })
            })
            .collect()
    }

    fn array(&self, key: &CStr) -> Option<Self> {
        // SAFETY: a dictionary and a C string; values of other types give null, and the dictionary keeps the array.
        unsafe { Self::borrowed(sys::xpc_dictionary_get_array(self.as_ptr(), key.as_ptr())) }
    }

    /// Who sent this message, as the kernel wrote it down. For messages of clients: what it gives for a reply is not
    /// documented.
    pub(super) fn sender(&self) -> Peer {
        let mut token = sys::AuditToken::default();
        // SAFETY: a received dictionary, and room for its token.
        unsafe { sys::xpc_dictionary_get_audit_token(self.as_ptr(), &raw mut token) };
        // SAFETY: both calls take a token by value.
        let (uid, pid) = unsafe { (sys::audit_token_to_euid(token), sys::audit_token_to_pid(token)) };
        Peer { uid, pid: Some(pid) }
    }

    /// Who is at the other end of this connection, which something came from already.
    pub(super) fn peer(&self) -> Peer {
        // SAFETY: a connection that was activated.
        let (uid, pid) = unsafe {
            (
                sys::xpc_connection_get_euid(self.as_ptr()),
                sys::xpc_connection_get_pid(self.as_ptr()),
            )
        };
        Peer { uid, pid: Some(pid) }
    }
}

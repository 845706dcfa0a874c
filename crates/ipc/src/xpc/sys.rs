//! Declarations of libxpc, which is part of libSystem, and of libbsm's audit tokens.
//!
//! Names, types and ownership follow `<xpc/xpc.h>`, `<xpc/connection.h>` and `<xpc/endpoint.h>`: what a `create` or
//! `copy` function gives belongs to its caller, everything else is borrowed.

use std::ffi::{c_char, c_int, c_void};

use block2::DynBlock;
use dispatch2::DispatchQueue;

/// `xpc_object_t`: any object of libxpc.
pub(super) type XpcObject = *mut c_void;

/// `xpc_type_t`: the address of a type's description.
pub(super) type XpcType = *const c_void;

/// `XPC_CONNECTION_MACH_SERVICE_LISTENER`
pub(super) const MACH_SERVICE_LISTENER: u64 = 1;

/// `audit_token_t`: who sent a message, as the kernel wrote it down. Opaque.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AuditToken([u32; 8]);

/// A description that is known by its address alone.
#[repr(C)]
pub(super) struct Opaque([u8; 0]);

unsafe extern "C" {
    pub(super) static _xpc_type_connection: Opaque;
    pub(super) static _xpc_type_dictionary: Opaque;
    pub(super) static _xpc_type_error: Opaque;
    pub(super) static _xpc_error_connection_invalid: Opaque;
    pub(super) static _xpc_error_termination_imminent: Opaque;

    pub(super) fn xpc_retain(object: XpcObject) -> XpcObject;
    pub(super) fn xpc_release(object: XpcObject);
    pub(super) fn xpc_get_type(object: XpcObject) -> XpcType;

    pub(super) fn xpc_dictionary_create(
        keys: *const *const c_char,
        values: *const XpcObject,
        count: usize,
    ) -> XpcObject;
    pub(super) fn xpc_dictionary_create_reply(original: XpcObject) -> XpcObject;
    pub(super) fn xpc_dictionary_set_data(
        dictionary: XpcObject,
        key: *const c_char,
        bytes: *const c_void,
        length: usize,
    );
    pub(super) fn xpc_dictionary_get_data(
        dictionary: XpcObject,
        key: *const c_char,
        length: *mut usize,
    ) -> *const c_void;
    pub(super) fn xpc_dictionary_set_uint64(dictionary: XpcObject, key: *const c_char, value: u64);
    pub(super) fn xpc_dictionary_get_uint64(dictionary: XpcObject, key: *const c_char) -> u64;
    pub(super) fn xpc_dictionary_set_value(dictionary: XpcObject, key: *const c_char, value: XpcObject);
    pub(super) fn xpc_dictionary_get_array(dictionary: XpcObject, key: *const c_char) -> XpcObject;
    /// Not in the public headers, but what Apple's own services identify the sender of a message with.
    pub(super) fn xpc_dictionary_get_audit_token(dictionary: XpcObject, token: *mut AuditToken);

    pub(super) fn xpc_array_create(objects: *const XpcObject, count: usize) -> XpcObject;
    pub(super) fn xpc_array_append_value(array: XpcObject, value: XpcObject);
    pub(super) fn xpc_array_get_count(array: XpcObject) -> usize;
    pub(super) fn xpc_array_dup_fd(array: XpcObject, index: usize) -> c_int;
    pub(super) fn xpc_fd_create(fd: c_int) -> XpcObject;

    pub(super) fn xpc_connection_create(name: *const c_char, queue: Option<&DispatchQueue>) -> XpcObject;
    pub(super) fn xpc_connection_create_mach_service(
        name: *const c_char,
        queue: Option<&DispatchQueue>,
        flags: u64,
    ) -> XpcObject;
    pub(super) fn xpc_connection_create_from_endpoint(endpoint: XpcObject) -> XpcObject;
    pub(super) fn xpc_endpoint_create(connection: XpcObject) -> XpcObject;
    pub(super) fn xpc_connection_set_target_queue(connection: XpcObject, queue: Option<&DispatchQueue>);
    pub(super) fn xpc_connection_set_event_handler(
        connection: XpcObject,
        handler: &DynBlock<dyn Fn(XpcObject)>,
    );
    pub(super) fn xpc_connection_activate(connection: XpcObject);
    /// Known once something came from the peer.
    pub(super) fn xpc_connection_get_euid(connection: XpcObject) -> u32;
    /// As above.
    pub(super) fn xpc_connection_get_pid(connection: XpcObject) -> c_int;
    pub(super) fn xpc_connection_cancel(connection: XpcObject);
    pub(super) fn xpc_connection_send_message(connection: XpcObject, message: XpcObject);
    pub(super) fn xpc_connection_send_message_with_reply(
        connection: XpcObject,
        message: XpcObject,
        queue: Option<&DispatchQueue>,
        handler: &DynBlock<dyn Fn(XpcObject)>,
    );
    pub(super) fn xpc_connection_send_barrier(connection: XpcObject, barrier: &DynBlock<dyn Fn()>);
}

#[link(name = "bsm")]
unsafe extern "C" {
    pub(super) fn audit_token_to_euid(token: AuditToken) -> u32;
    pub(super) fn audit_token_to_pid(token: AuditToken) -> c_int;
}

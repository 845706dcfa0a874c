//! vmnet's functions, looked up while the program runs: those for networks came with macOS 26, and a program that is
//! linked with them does not start before it.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::transmute;

use block2::DynBlock;
use dispatch2::DispatchQueue;

/// `VMNET_SUCCESS`
pub(super) const SUCCESS: u32 = 1000;
/// `VMNET_FAILURE`
pub(super) const FAILURE: u32 = 1001;
/// `VMNET_MEM_FAILURE`
pub(super) const MEMORY: u32 = 1002;
/// `VMNET_HOST_MODE`
pub(super) const HOST_MODE: u32 = 1000;
/// `VMNET_SHARED_MODE`
pub(super) const SHARED_MODE: u32 = 1001;
/// `VMNET_INTERFACE_PACKETS_AVAILABLE`
pub(super) const PACKETS_AVAILABLE: u32 = 1;

/// `struct vmpktdesc`
#[repr(C)]
pub(super) struct Packet {
    pub(super) size: usize,
    pub(super) parts: *mut libc::iovec,
    pub(super) count: u32,
    pub(super) flags: u32,
}

/// Any object of vmnet or libxpc.
pub(super) type Object = *mut c_void;
/// A block that gets a status and, after a start, what the interface is.
pub(super) type Completion = DynBlock<dyn Fn(u32, Object)>;

// The functions' types, as `<vmnet/vmnet.h>` has them.
type ConfigurationCreate = unsafe extern "C" fn(u32, *mut u32) -> Object;
type ConfigurationSetIpv4Subnet =
    unsafe extern "C" fn(Object, *const libc::in_addr, *const libc::in_addr) -> u32;
type ConfigurationSetIpv6Prefix = unsafe extern "C" fn(Object, *const libc::in6_addr, u8) -> u32;
type ConfigurationDisableDhcp = unsafe extern "C" fn(Object);
type NetworkCreate = unsafe extern "C" fn(Object, *mut u32) -> Object;
type InterfaceStart = unsafe extern "C" fn(Object, Object, &DispatchQueue, &Completion) -> Object;
type InterfaceSetEventCallback =
    unsafe extern "C" fn(Object, u32, Option<&DispatchQueue>, Option<&Completion>) -> u32;
type Read = unsafe extern "C" fn(Object, *mut Packet, *mut c_int) -> u32;
type Write = unsafe extern "C" fn(Object, *mut Packet, *mut c_int) -> u32;
type Stop = unsafe extern "C" fn(Object, &DispatchQueue, &DynBlock<dyn Fn(u32)>) -> u32;

/// The functions, by the ends of their names.
#[derive(Clone, Copy)]
pub(super) struct Functions {
    pub(super) configuration_create: ConfigurationCreate,
    pub(super) configuration_set_ipv4_subnet: ConfigurationSetIpv4Subnet,
    pub(super) configuration_set_ipv6_prefix: ConfigurationSetIpv6Prefix,
    pub(super) configuration_disable_dhcp: ConfigurationDisableDhcp,
    pub(super) network_create: NetworkCreate,
    pub(super) interface_start: InterfaceStart,
    pub(super) interface_set_event_callback: InterfaceSetEventCallback,
    pub(super) read: Read,
    pub(super) write: Write,
    pub(super) stop: Stop,
    /// `vmnet_allocate_mac_address_key`
    pub(super) allocate_mac_address: *const c_char,
    /// `vmnet_max_packet_size_key`
    pub(super) max_packet_size: *const c_char,
}

// SAFETY: functions, and strings that are part of the framework and never change.
unsafe impl Send for Functions {}
// SAFETY: as above.
unsafe impl Sync for Functions {}

impl std::fmt::Debug for Functions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Functions")
    }
}

impl Functions {
    /// The functions of this macOS; `None` where it has no networks.
    pub(super) fn load() -> Option<Self> {
        // SAFETY: a C string; the framework stays loaded.
        let framework = unsafe {
            libc::dlopen(
                c"/System/Library/Frameworks/vmnet.framework/vmnet".as_ptr(),
                libc::RTLD_NOW,
            )
        };
        let symbol = |name: &CStr| {
            // SAFETY: a framework that is loaded, or null, in which nothing is found; and a C string.
            let found = unsafe { libc::dlsym(framework, name.as_ptr()) };
            (!framework.is_null() && !found.is_null()).then_some(found)
        };
        let key = |name: &CStr| {
            // SAFETY: these symbols are pointers to C strings.
            symbol(name).map(|found| unsafe { *found.cast::<*const c_char>() })
        };
        // SAFETY: the symbols are functions of these types.
        unsafe {
            Some(Self {
                configuration_create: transmute::<Object, ConfigurationCreate>(symbol(
                    c"vmnet_network_configuration_create",
                )?),
                configuration_set_ipv4_subnet: transmute::<Object, ConfigurationSetIpv4Subnet>(symbol(
                    c"vmnet_network_configuration_set_ipv4_subnet",
                )?),
                configuration_set_ipv6_prefix: transmute::<Object, ConfigurationSetIpv6Prefix>(symbol(
                    c"vmnet_network_configuration_set_ipv6_prefix",
                )?),
                configuration_disable_dhcp: transmute::<Object, ConfigurationDisableDhcp>(symbol(
                    c"vmnet_network_configuration_disable_dhcp",
                )?),
                network_create: transmute::<Object, NetworkCreate>(symbol(c"vmnet_network_create")?),
                interface_start: transmute::<Object, InterfaceStart>(symbol(
                    c"vmnet_interface_start_with_network",
                )?),
                interface_set_event_callback: transmute::<Object, InterfaceSetEventCallback>(symbol(
                    c"vmnet_interface_set_event_callback",
                )?),
                read: transmute::<Object, Read>(symbol(c"vmnet_read")?),
                write: transmute::<Object, Write>(symbol(c"vmnet_write")?),
                stop: transmute::<Object, Stop>(symbol(c"vmnet_stop_interface")?),
                allocate_mac_address: key(c"vmnet_allocate_mac_address_key")?,
                max_packet_size: key(c"vmnet_max_packet_size_key")?,
            })
        }
    }
}

#[link(name = "CoreFoundation", kind = "framework")]
unsafe extern "C" {
    pub(super) fn CFRelease(object: Object);
}

unsafe extern "C" {
    pub(super) fn xpc_release(object: Object);
    pub(super) fn xpc_dictionary_create(
        keys: *const *const c_char,
        values: *const Object,
        count: usize,
    ) -> Object;
    pub(super) fn xpc_dictionary_set_bool(dictionary: Object, key: *const c_char, value: bool);
    pub(super) fn xpc_dictionary_get_uint64(dictionary: Object, key: *const c_char) -> u64;
}

//! Tap devices: interfaces whose frames a program reads and writes.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The file that becomes a tap device.
pub const TAP_DEVICE: &str = "/dev/net/tun";

/// Makes `device`, an open [`TAP_DEVICE`], the new interface `name` of the network namespace in which it was opened. What
/// is read and written are Ethernet frames, each after a `virtio_net_hdr`. The interface goes with its last descriptor.
///
/// # Errors
/// There is an interface of that name, or this process may not make any.
pub fn make_tap(device: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    let bytes = name.as_bytes();
    if bytes.len() >= libc::IFNAMSIZ {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: all-zero bytes are a valid `ifreq`, a structure of plain numbers.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, &from) in request.ifr_name.iter_mut().zip(bytes) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    let flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR | libc::IFF_TUN_EXCL;
    request.ifr_ifru.ifru_flags = (flags as u16).cast_signed();
    // SAFETY: TUNSETIFF reads and writes one `ifreq`, and `request` is one that lives until the call returns.
    match unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF, &raw mut request) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

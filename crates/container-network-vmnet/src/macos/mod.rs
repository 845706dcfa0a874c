//! A network of vmnet (macOS 26), and its interfaces as sockets of frames.

mod frames;
mod functions;

use std::ffi::c_void;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::ptr::NonNull;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use container_network_bridge::Settings;
use container_resource::NetworkMode;

use crate::error::Error;
use crate::interfaces::{Interface, Interfaces};
use frames::Frames;
use functions::{CFRelease, FAILURE, Functions, HOST_MODE, MEMORY, SHARED_MODE, SUCCESS};

/// How long the network of a process that died may take to go.
const SUCCESSION: Duration = Duration::from_secs(5);
/// How often that is looked at: nobody tells.
const TRY: Duration = Duration::from_millis(100);

/// A network of vmnet. It goes with this process, whatever is connected to it.
#[derive(Debug)]
pub struct Vmnet(Arc<Network>);

/// The network and what it is used with.
#[derive(Debug)]
struct Network {
    functions: Functions,
    network: NonNull<c_void>,
}

// SAFETY: vmnet's functions may be called by any thread.
unsafe impl Send for Network {}
// SAFETY: as above.
unsafe impl Sync for Network {}

impl Drop for Network {
    fn drop(&mut self) {
        // SAFETY: this is the reference that creating it gave.
        unsafe { CFRelease(self.network.as_ptr()) }
    }
}

/// A network's configuration while it is made.
struct Configuration(NonNull<c_void>);

impl Drop for Configuration {
    fn drop(&mut self) {
        // SAFETY: this is the reference that creating it gave.
        unsafe { CFRelease(self.0.as_ptr()) }
    }
}

impl Vmnet {
    /// Makes the network that `settings` describe; `None` where macOS has no networks.
    ///
    /// # Errors
    /// vmnet refuses, for example because the subnet is in use.
    pub fn open(settings: &Settings) -> Result<Option<Self>, Error> {
        let Some(functions) = Functions::load() else {
            return Ok(None);
        };
        let mode = match settings.mode {
            NetworkMode::Nat => SHARED_MODE,
            NetworkMode::HostOnly => HOST_MODE,
        };
        let mut status = 0;
        // SAFETY: the call writes a status, and gives an object of ours or null.
        let made = NonNull::new(unsafe { (functions.configuration_create)(mode, &raw mut status) });
        let configuration = Configuration(made.ok_or(Error::Vmnet("configure the network", status))?);
        let object = configuration.0.as_ptr();
        let checked = |what, status| match status {
            SUCCESS => Ok(()),
            status => Err(Error::Vmnet(what, status)),
        };
        let (host, mask) = (address4(settings.gateway4()), address4(settings.ipv4.netmask()));
        // SAFETY: an object that is alive, and addresses that live longer than the call.
        let status =
            unsafe { (functions.configuration_set_ipv4_subnet)(object, &raw const host, &raw const mask) };
        checked("set the IPv4 subnet", status)?;
        let (host, length) = (address6(settings.gateway6()), settings.ipv6.prefix_len());
        // SAFETY: as above.
        let status = unsafe { (functions.configuration_set_ipv6_prefix)(object, &raw const host, length) };
        checked("set the IPv6 prefix", status)?;
        // SAFETY: an object that is alive. Containers are told their addresses.
        unsafe { (functions.configuration_disable_dhcp)(object) };
        let network = create(&functions, object)?;
        Ok(Some(Self(Arc::new(Network { functions, network }))))
    }
}

/// Makes the network. That of a process which has just died may still have its subnet.
fn create(functions: &Functions, configuration: *mut c_void) -> Result<NonNull<c_void>, Error> {
    let until = Instant::now() + SUCCESSION;
    loop {
        let mut status = 0;
        // SAFETY: an object that is alive; the call writes a status, and gives an object of ours or null.
        let made = unsafe { (functions.network_create)(configuration, &raw mut status) };
        match NonNull::new(made) {
            Some(network) => return Ok(network),
            None if status == FAILURE && Instant::now() < until => sleep(TRY),
            None => {
                let what = match status {
                    // The framework's word for a program without the entitlement.
                    MEMORY => "create the network; is this program signed (scripts/macos/sign.sh)?",
                    _ => "create the network; its subnet may be in use",
                };
                return Err(Error::Vmnet(what, status));
            }
        }
    }
}

impl Interfaces for Vmnet {
    fn make(&self, socket: OwnedFd) -> Result<Box<dyn Interface>, Error> {
        Ok(Box::new(Frames::start(&self.0, socket)?))
    }
}

fn address4(address: Ipv4Addr) -> libc::in_addr {
    libc::in_addr {
        s_addr: u32::from_ne_bytes(address.octets()),
    }
}

fn address6(address: Ipv6Addr) -> libc::in6_addr {
    libc::in6_addr {
        s6_addr: address.octets(),
    }
}

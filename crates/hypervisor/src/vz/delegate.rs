use std::sync::Arc;

use objc2::rc::Retained;
use objc2::runtime::{NSObject, NSObjectProtocol};
use objc2::{AnyThread, DefinedClass, define_class, msg_send};
use objc2_foundation::NSError;
use objc2_virtualization::{VZNetworkDevice, VZVirtualMachine, VZVirtualMachineDelegate};

use super::life::Life;
use super::ns_error;
use crate::ExitReason;

define_class!(
    // SAFETY: NSObject asks nothing of its subclasses, and this one has no `Drop`.
    #[unsafe(super(NSObject))]
    #[name = "ContainerVirtualMachineDelegate"]
    #[ivars = Arc<Life>]
    #[derive(Debug)]
    /// Hears of a machine's end, on the machine's queue.
    pub(super) struct Delegate;

    // SAFETY: nothing to keep.
    unsafe impl NSObjectProtocol for Delegate {}

    // SAFETY: the methods are the protocol's.
    unsafe impl VZVirtualMachineDelegate for Delegate {
        #[unsafe(method(guestDidStopVirtualMachine:))]
        fn guest_did_stop(&self, _: &VZVirtualMachine) {
            self.ivars().end(ExitReason::GuestShutdown);
        }

        #[unsafe(method(virtualMachine:didStopWithError:))]
        fn did_stop_with_error(&self, _: &VZVirtualMachine, error: &NSError) {
            let message = ns_error::refusal(error).to_string();
            self.ivars().end(ExitReason::Failed { message });
        }

        #[unsafe(method(virtualMachine:networkDevice:attachmentWasDisconnectedWithError:))]
        fn network_disconnected(&self, _: &VZVirtualMachine, _: &VZNetworkDevice, error: &NSError) {
            tracing::warn!(error = %ns_error::refusal(error), "the virtual machine lost its network");
        }
    }
);

impl Delegate {
    /// A delegate that says what it hears to `life`. The machine does not keep it alive.
    pub(super) fn new(life: Arc<Life>) -> Retained<Self> {
        let this = Self::alloc().set_ivars(life);
        // SAFETY: the initializer of NSObject.
        unsafe { msg_send![super(this), init] }
    }
}

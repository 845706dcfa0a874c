use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use dispatch2::{DispatchQueue, DispatchRetained};
use objc2::rc::Retained;
use objc2::runtime::{NSObject, NSObjectProtocol, ProtocolObject};
use objc2::{AnyThread, DefinedClass, Message, define_class, msg_send};
use objc2_virtualization::{
    VZVirtioSocketConnection, VZVirtioSocketDevice, VZVirtioSocketListener, VZVirtioSocketListenerDelegate,
};
use tokio::sync::mpsc;

use super::life::Life;
use super::parts::Parts;
use super::queue::WeakConfined;
use super::socket::Link;
use crate::{Connection, Error, Listener};

/// Connections of one port that wait to be accepted; a further one is refused.
const BACKLOG: usize = 128;

define_class!(
    // SAFETY: NSObject asks nothing of its subclasses, and this one has no `Drop`.
    #[unsafe(super(NSObject))]
    #[name = "ContainerSocketListenerDelegate"]
    #[ivars = Arrivals]
    #[derive(Debug)]
    /// Hears of connections that the guest makes, on the machine's queue.
    struct Delegate;

    // SAFETY: nothing to keep.
    unsafe impl NSObjectProtocol for Delegate {}

    // SAFETY: the method is the protocol's.
    unsafe impl VZVirtioSocketListenerDelegate for Delegate {
        #[unsafe(method(listener:shouldAcceptNewConnection:fromSocketDevice:))]
        fn should_accept(
            &self,
            _: &VZVirtioSocketListener,
            connection: &VZVirtioSocketConnection,
            _: &VZVirtioSocketDevice,
        ) -> bool {
            let arrivals = self.ivars();
            match Link::new(&arrivals.queue, connection.retain()) {
                Ok(link) => arrivals.accepted.try_send(link).is_ok(),
                Err(error) => {
                    tracing::warn!(%error, "failed to accept a connection of the guest");
                    false
                }
            }
        }
    }
);

/// Where the guest's connections go.
#[derive(Debug)]
struct Arrivals {
    /// The machine's queue.
    queue: DispatchRetained<DispatchQueue>,
    accepted: mpsc::Sender<Link>,
}

/// A port of the host as the framework knows it.
#[derive(Debug)]
pub(super) struct Port {
    listener: Retained<VZVirtioSocketListener>,
    /// The listener does not keep it alive.
    _delegate: Retained<Delegate>,
}

impl Port {
    /// A port whose connections arrive at the receiver. To be called on the machine's queue.
    pub(super) fn new(queue: DispatchRetained<DispatchQueue>) -> (Self, mpsc::Receiver<Link>) {
        let (accepted, connections) = mpsc::channel(BACKLOG);
        let delegate = Delegate::alloc().set_ivars(Arrivals { queue, accepted });
        // SAFETY: the initializer of NSObject.
        let delegate: Retained<Delegate> = unsafe { msg_send![super(delegate), init] };
        // SAFETY: a new object that nobody else has. It refers to the delegate weakly, which lives as long as it does.
        let listener = unsafe {
            let listener = VZVirtioSocketListener::new();
            listener.setDelegate(Some(ProtocolObject::from_ref(&*delegate)));
            listener
        };
        let port = Self {
            listener,
            _delegate: delegate,
        };
        (port, connections)
    }

    /// Lets the guest connect to it. To be called on the machine's queue.
    pub(super) fn open(&self, device: &VZVirtioSocketDevice, number: u32) {
        // SAFETY: the caller is on the machine's queue.
        unsafe { device.setSocketListener_forPort(&self.listener, number) };
    }
}

/// A port of the host that the guest connects to.
pub(super) struct GuestListener {
    pub(super) number: u32,
    pub(super) connections: mpsc::Receiver<Link>,
    pub(super) life: Arc<Life>,
    pub(super) parts: WeakConfined<Parts>,
}

#[async_trait]
impl Listener for GuestListener {
    async fn accept(&mut self) -> Result<Connection, Error> {
        let connection = tokio::select! {
            biased;
            connection = self.connections.recv() => connection,
            reason = self.life.wait() => return Err(Error::Exited(reason)),
        };
        let result = match connection {
            Some(link) => link.into_stream(),
            // The port goes with its machine only.
            None => Err(io::ErrorKind::NotConnected.into()),
        };
        result.map_err(|source| Error::Port {
            port: self.number,
            source,
        })
    }
}

impl Drop for GuestListener {
    fn drop(&mut self) {
        let number = self.number;
        self.parts.run(move |parts| parts.close(number));
    }
}

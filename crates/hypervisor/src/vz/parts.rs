use std::cell::Cell;
use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use block2::{DynBlock, RcBlock};
use dispatch2::{DispatchQueue, DispatchRetained};
use objc2::AnyThread;
use objc2::rc::Retained;
use objc2::runtime::ProtocolObject;
use objc2_foundation::NSError;
use objc2_virtualization::VZVirtualMachine;
use tokio::sync::{mpsc, oneshot};

use super::configuration::configuration;
use super::delegate::Delegate;
use super::life::Life;
use super::listener::Port;
use super::ns_error;
use super::plan::Plan;
use super::queue::WeakConfined;
use super::refusal::Refusal;
use super::socket::{self, Link};
use crate::{Error, ExitReason, Nic};

/// A method of a machine that says later whether it succeeded.
pub(super) type Method = unsafe fn(&VZVirtualMachine, &DynBlock<dyn Fn(*mut NSError)>);

/// The framework's objects of one machine. Every method is for the machine's queue, and nothing that the framework calls
/// back uses them.
#[derive(Debug)]
pub(super) struct Parts {
    /// Gone when the machine had to be ended without the framework's help.
    machine: Option<Retained<VZVirtualMachine>>,
    /// The machine does not keep it alive.
    _delegate: Retained<Delegate>,
    /// The ports that the guest may connect to.
    ports: HashMap<u32, Port>,
    queue: DispatchRetained<DispatchQueue>,
}

impl Parts {
    /// Makes a machine that runs on `queue`.
    pub(super) fn new(
        plan: &Plan,
        nics: &[Nic],
        output: OwnedFd,
        life: Arc<Life>,
        queue: &DispatchRetained<DispatchQueue>,
    ) -> Result<Self, Error> {
        let configuration = configuration(plan, nics, output)?;
        let delegate = Delegate::new(life);
        // SAFETY: the configuration was found valid, which the initializer asks for, and is copied. The queue is serial,
        // and this is called on it. The machine refers to the delegate weakly; `Parts` keeps both.
        let machine = unsafe {
            let machine = VZVirtualMachine::initWithConfiguration_queue(
                VZVirtualMachine::alloc(),
                &configuration,
                queue,
            );
            machine.setDelegate(Some(ProtocolObject::from_ref(&*delegate)));
            machine
        };
        Ok(Self {
            machine: Some(machine),
            _delegate: delegate,
            ports: HashMap::new(),
            queue: queue.clone(),
        })
    }

    /// Calls `method`. Without a machine there is no answer.
    pub(super) fn call(&self, method: Method, answer: oneshot::Sender<Result<(), Refusal>>) {
        let Some(machine) = &self.machine else { return };
        let answer = Cell::new(Some(answer));
        let done = RcBlock::new(move |error: *mut NSError| {
            // SAFETY: nil or an error that lives at least as long as this call.
            let result = unsafe { error.as_ref() }.map_or(Ok(()), |error| Err(ns_error::refusal(error)));
            if let Some(answer) = answer.take() {
                // Who asked may have given up.
                let _ = answer.send(result);
            }
        });
        // SAFETY: on the machine's queue. The machine copies the block, which only that queue calls.
        unsafe { method(machine, &done) };
    }

    /// Ends the machine as pulling its plug would: with the framework's help in the states that allow it, else by
    /// releasing it. A request that the guest turn itself off would be useless: it comes as the press of a button, which
    /// nobody in the guest answers, and the guest's agent has written everything before.
    pub(super) fn power_off(&mut self, life: &Arc<Life>, parts: &WeakConfined<Self>) {
        // SAFETY: on the machine's queue.
        let Some(machine) = self
            .machine
            .as_ref()
            .filter(|machine| unsafe { machine.canStop() })
        else {
            return self.release(life);
        };
        let (life, parts) = (Arc::clone(life), parts.clone());
        let done = RcBlock::new(move |error: *mut NSError| {
            // SAFETY: nil or an error that lives at least as long as this call.
            let Some(error) = (unsafe { error.as_ref() }) else {
                life.end(ExitReason::Stopped);
                return;
            };
            tracing::warn!(error = %ns_error::refusal(error), "failed to stop the virtual machine");
            let life = Arc::clone(&life);
            parts.run(move |parts| parts.release(&life));
        });
        // SAFETY: on the machine's queue. The machine copies the block, which only that queue calls.
        unsafe { machine.stopWithCompletionHandler(&done) };
    }

    /// Ends the machine by letting go of it: it ends with its last reference.
    pub(super) fn release(&mut self, life: &Life) {
        self.ports.clear();
        self.machine = None;
        life.end(ExitReason::Stopped);
    }

    /// Asks for a connection to a port of the guest. Without a machine there is no answer.
    pub(super) fn connect(&self, port: u32, answer: oneshot::Sender<io::Result<Link>>) {
        if let Some(device) = self.machine.as_deref().and_then(socket::device) {
            socket::connect(&device, &self.queue, port, answer);
        }
    }

    /// Lets the guest connect to a port of the host.
    pub(super) fn listen(&mut self, number: u32) -> io::Result<mpsc::Receiver<Link>> {
        let Some(device) = self.machine.as_deref().and_then(socket::device) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        if self.ports.contains_key(&number) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let (port, connections) = Port::new(self.queue.clone());
        port.open(&device, number);
        self.ports.insert(number, port);
        Ok(connections)
    }

    /// Takes a port of the host back.
    pub(super) fn close(&mut self, number: u32) {
        if self.ports.remove(&number).is_none() {
            return;
        }
        if let Some(device) = self.machine.as_deref().and_then(socket::device) {
            // SAFETY: on the machine's queue.
            unsafe { device.removeSocketListenerForPort(number) };
        }
    }
}

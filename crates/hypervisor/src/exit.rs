use std::fmt;

use crate::error::quoted;

/// Why a virtual machine is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExitReason {
    /// The guest powered itself off.
    GuestShutdown,
    /// The guest restarted itself, which no machine here does: it ends.
    GuestReset,
    /// The guest's kernel panicked.
    GuestPanic {
        /// What the kernel said.
        message: String,
        /// The boot log from there on.
        boot_log: String,
    },
    /// [`stop`](crate::VirtualMachine::stop) or [`kill`](crate::VirtualMachine::kill) ended it, or its object was dropped.
    Stopped,
    /// The hypervisor's process was killed by somebody else.
    Killed {
        /// The signal.
        signal: i32,
    },
    /// The hypervisor's process gave up.
    Failed {
        /// What it said last.
        message: String,
    },
}

impl ExitReason {
    /// The machine ended as somebody wanted it to.
    #[must_use]
    pub fn is_orderly(&self) -> bool {
        matches!(self, Self::GuestShutdown | Self::GuestReset | Self::Stopped)
    }
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GuestShutdown => f.write_str("the guest shut down"),
            Self::GuestReset => f.write_str("the guest restarted"),
            Self::GuestPanic { message, boot_log } => {
                write!(f, "the guest's kernel panicked: {message}{}", quoted(boot_log))
            }
            Self::Stopped => f.write_str("it was stopped"),
            Self::Killed { signal } => write!(f, "the hypervisor was killed by signal {signal}"),
            Self::Failed { message } => write!(f, "the hypervisor failed{}", quoted(message)),
        }
    }
}

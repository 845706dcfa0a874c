//! The name server on a network's gateway (behaviour reference, 16).
//!
//! What the network knows is answered here; everything else goes, as it came, to the name servers that the host uses at
//! that moment. [`answer`] is the pure part, [`Server`] moves the messages.

mod answer;
mod forward;
#[doc(hidden)]
pub mod fuzzing;
mod resolvers;
mod server;
mod wire;

pub use answer::{Addresses, Names, TTL, Verdict, answer};
pub use resolvers::{Resolvers, parse_resolv_conf};
pub use server::Server;

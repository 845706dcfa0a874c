//! The image service: content store, registry client, image disks.
//!
//! `container-core-images start` serves the routes of behaviour reference 27.4 for one application root. The work is
//! done by `container-image-store`; this crate gives it a process and a socket.

mod handlers;
mod logins;
mod mirrors;

pub use handlers::router;
pub use logins::with_logins;
pub use mirrors::mirrors;

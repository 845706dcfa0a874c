//! The image service: references, contents and disks of images (behaviour reference, 27.4).

mod client;
mod logins;
mod routes;
mod scheme;

pub use client::{Fetch, ImagesClient, find};
pub use logins::*;
pub use routes::*;
pub use scheme::{Scheme, UnsupportedScheme};

//! The image store with real peers: skopeo, umoci, Debian's registry, erofs-utils; and with bad ones.

mod faults;
mod load;
mod login;
mod mirror;
mod pull;
mod push;
mod save;
mod server;
mod support;
mod unpack;

//! The image store with real peers: skopeo, umoci, buildah, podman, Debian's registry, erofs-utils; and with bad ones.

mod arriving;
mod faults;
mod load;
mod login;
mod mirror;
mod peers;
mod pull;
mod push;
mod save;
mod server;
mod support;
mod unpack;

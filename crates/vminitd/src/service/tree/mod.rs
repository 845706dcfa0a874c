//! Trees as tar archives that keep everything a file has: the payload of [`Copy`](super::copy) with `is_tree`, an addition
//! to Apple's service.

mod fill;
mod pack;
mod unpack;

pub(super) use fill::fill;
pub(super) use pack::pack;
pub(super) use unpack::unpack;

#[cfg(test)]
mod tests;

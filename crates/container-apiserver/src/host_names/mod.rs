//! Names for the host itself (behaviour reference, 16): of running containers, and of domains that lead to the host. The files
//! of macOS's resolver send questions about them here, so nothing else is ever asked, and nothing is asked further.

#[cfg(any(target_os = "macos", test))]
mod containers;
#[cfg(any(target_os = "macos", test))]
mod domains;
#[cfg(not(target_os = "macos"))]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(any(target_os = "macos", test))]
mod table;

#[cfg(not(target_os = "macos"))]
pub(crate) use linux::start;
#[cfg(target_os = "macos")]
pub(crate) use macos::start;

#[cfg(test)]
mod tests;

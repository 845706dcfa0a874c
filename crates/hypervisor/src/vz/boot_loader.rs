use std::path::Path;

use objc2::AnyThread;
use objc2::rc::Retained;
use objc2_foundation::{NSString, NSURL};
use objc2_virtualization::VZLinuxBootLoader;

/// The loader of a Linux kernel, without an initial RAM disk. `None`: the path cannot be a URL.
pub(super) fn boot_loader(kernel: &Path, command_line: &str) -> Option<Retained<VZLinuxBootLoader>> {
    let url = NSURL::from_file_path(kernel)?;
    // SAFETY: a new object that nobody else has; it copies the URL and the text.
    unsafe {
        let loader = VZLinuxBootLoader::initWithKernelURL(VZLinuxBootLoader::alloc(), &url);
        loader.setCommandLine(&NSString::from_str(command_line));
        Some(loader)
    }
}

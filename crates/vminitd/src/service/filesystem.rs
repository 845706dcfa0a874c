//! FilesystemOperation: trim, freeze, thaw.

use std::os::fd::AsRawFd;
use std::path::Path;

use container_sandbox::proto::filesystem_operation_request::Operation;
use container_sandbox::proto::filesystem_operation_response::Result as Outcome;
use container_sandbox::proto::{FiTrimResult, FilesystemOperationRequest, FilesystemOperationResponse};

use crate::error::{Context, Error, Result, blocking};

/// `struct fstrim_range` of the kernel.
#[repr(C)]
struct TrimRange {
    start: u64,
    length: u64,
    minimum: u64,
}

/// `_IOWR('X', 119, int)`.
const FIFREEZE: libc::c_ulong = 0xc004_5877;
/// `_IOWR('X', 120, int)`.
const FITHAW: libc::c_ulong = 0xc004_5878;
/// `_IOWR('X', 121, struct fstrim_range)`.
const FITRIM: libc::c_ulong = 0xc018_5879;

pub(super) async fn operate(request: FilesystemOperationRequest) -> Result<FilesystemOperationResponse> {
    let operation = request
        .operation
        .ok_or_else(|| Error::Invalid("filesystem operation is missing".into()))?;
    blocking(move || {
        let path = Path::new(&request.path);
        let what = |verb: &str| format!("failed to {verb} {}", path.display());
        let directory = std::fs::File::open(path).context(|| what("open"))?;
        let fd = directory.as_raw_fd();
        let check = |result: libc::c_int| {
            if result < 0 {
                Err(std::io::Error::last_os_error())
            } else {
                Ok(())
            }
        };
        let result = match operation {
            Operation::Trim(_) => {
                let mut range = TrimRange {
                    start: 0,
                    length: u64::MAX,
                    minimum: 0,
                };
                // SAFETY: the call reads and writes one such structure.
                check(unsafe { libc::ioctl(fd, FITRIM as _, &raw mut range) }).context(|| what("trim"))?;
                Some(Outcome::Trim(FiTrimResult {
                    trimmed_bytes: range.length,
                }))
            }
            Operation::Freeze(_) => {
                // SAFETY: the argument is not used.
                check(unsafe { libc::ioctl(fd, FIFREEZE as _, 0) }).context(|| what("freeze"))?;
                None
            }
            Operation::Thaw(_) => {
                // SAFETY: the argument is not used.
                check(unsafe { libc::ioctl(fd, FITHAW as _, 0) }).context(|| what("thaw"))?;
                None
            }
        };
        Ok(FilesystemOperationResponse { result })
    })
    .await
}

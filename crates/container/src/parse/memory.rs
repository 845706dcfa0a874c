//! `--memory`, `--shm-size` (behaviour.md 8).

use container_ipc::Error;
use container_resource::MemorySize;

fn size(text: &str) -> Result<MemorySize, Error> {
    text.parse::<MemorySize>()
        .map_err(|error| Error::invalid_argument(error.to_string()))
}

/// Memory of a container in bytes, cut down to whole MiB. The server refuses less than 200 MiB.
///
/// # Errors
/// The text is no size.
pub fn memory(text: &str) -> Result<u64, Error> {
    size(text).map(MemorySize::bytes_in_whole_mib)
}

/// A size in bytes.
///
/// # Errors
/// The text is no size.
pub fn bytes(text: &str) -> Result<u64, Error> {
    size(text).map(MemorySize::bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_in_whole_mebibytes() {
        assert_eq!(memory("1.5g"), Ok(1536 << 20));
        assert_eq!(memory("512"), Ok(0));
        assert_eq!(bytes("512"), Ok(512));
        assert_eq!(
            memory("lots").map_err(|error| error.to_string()),
            Err("invalid size".to_owned())
        );
        assert_eq!(
            bytes("1x").map_err(|error| error.to_string()),
            Err("invalid symbol: x".to_owned())
        );
    }
}

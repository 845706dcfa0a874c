//! Fixed-offset stores into on-disk structures.

/// Stores little-endian integers at byte offsets of a structure.
pub(crate) trait Put {
    /// Stores bytes at an offset.
    fn put(&mut self, offset: usize, bytes: &[u8]);

    /// Stores a 16-bit integer.
    fn le16(&mut self, offset: usize, value: u16) {
        self.put(offset, &value.to_le_bytes());
    }

    /// Stores a 32-bit integer.
    fn le32(&mut self, offset: usize, value: u32) {
        self.put(offset, &value.to_le_bytes());
    }

    /// Stores a 64-bit integer.
    fn le64(&mut self, offset: usize, value: u64) {
        self.put(offset, &value.to_le_bytes());
    }
}

impl Put for [u8] {
    fn put(&mut self, offset: usize, bytes: &[u8]) {
        self[offset..offset + bytes.len()].copy_from_slice(bytes);
    }
}

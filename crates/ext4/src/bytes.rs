//! Fixed-offset stores into on-disk structures.

/// Stores integers at byte offsets of a structure.
pub(crate) trait Put {
    /// Stores bytes at an offset.
    fn put(&mut self, offset: usize, bytes: &[u8]);

    /// Stores a little-endian 16-bit integer.
    fn le16(&mut self, offset: usize, value: u16) {
        self.put(offset, &value.to_le_bytes());
    }

    /// Stores a little-endian 32-bit integer.
    fn le32(&mut self, offset: usize, value: u32) {
        self.put(offset, &value.to_le_bytes());
    }

    /// Stores a big-endian 32-bit integer.
    fn be32(&mut self, offset: usize, value: u32) {
        self.put(offset, &value.to_be_bytes());
    }
}

impl Put for [u8] {
    fn put(&mut self, offset: usize, bytes: &[u8]) {
        self[offset..offset + bytes.len()].copy_from_slice(bytes);
    }
}

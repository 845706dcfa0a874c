//! One request of the guest, from the device's queue to its answer.

use std::io;

use vhost_user_backend::bitmap::BitmapMmapRegion;
use vhost_user_backend::{VringMutex, VringT};
use virtio_queue::DescriptorChain;
use virtiofsd::descriptor_utils::{Reader, Writer};
use virtiofsd::fuse::{InHeader, OutHeader};
use vm_memory::{ByteValued, GuestAddressSpace, GuestMemoryAtomic, GuestMemoryLoadGuard, GuestMemoryMmap};

/// The guest's memory.
pub(crate) type Memory = GuestMemoryAtomic<GuestMemoryMmap<BitmapMmapRegion>>;
/// One of the device's queues.
pub(crate) type Ring = VringMutex<Memory>;
type Chain = DescriptorChain<GuestMemoryLoadGuard<GuestMemoryMmap<BitmapMmapRegion>>>;

/// A request that has to be answered.
pub(crate) struct Request {
    pub(crate) chain: Chain,
    pub(crate) memory: Memory,
    pub(crate) ring: Ring,
    /// Whether the guest says when it wants to hear of an answer.
    pub(crate) asks: bool,
}

impl Request {
    /// Reads the head of the request and, below it, a `T`; the rest is given to `more`.
    pub(crate) fn read<T: ByteValued, R>(
        &self,
        more: impl FnOnce(InHeader, T, Reader<'_>) -> R,
    ) -> io::Result<R> {
        let memory = self.memory.memory();
        let mut reader = Reader::new(&memory, self.chain.clone()).map_err(io::Error::other)?;
        let header = reader.read_obj()?;
        let body = reader.read_obj()?;
        Ok(more(header, body, reader))
    }

    /// The head of the request.
    pub(crate) fn header(&self) -> io::Result<InHeader> {
        let memory = self.memory.memory();
        let mut reader = Reader::new(&memory, self.chain.clone()).map_err(io::Error::other)?;
        reader.read_obj()
    }

    /// Answers with `work`, which is given the request and room for the answer, and says how long that is.
    pub(crate) fn answer_with(
        self,
        work: impl FnOnce(Reader<'_>, Writer<'_>) -> io::Result<usize>,
    ) -> io::Result<()> {
        let memory = self.memory.memory();
        let reader = Reader::new(&memory, self.chain.clone()).map_err(io::Error::other)?;
        let writer = Writer::new(&memory, self.chain.clone()).map_err(io::Error::other)?;
        let length = work(reader, writer)?;
        self.finish(length)
    }

    /// Answers the request of the number `unique`.
    pub(crate) fn answer(self, unique: u64, result: io::Result<&[u8]>) -> io::Result<()> {
        use std::io::Write;

        self.answer_with(|_, mut writer| {
            let (error, body) = match result {
                Ok(body) => (0, body),
                Err(error) => (-error.raw_os_error().unwrap_or(libc::EIO), &[][..]),
            };
            let length = size_of::<OutHeader>() + body.len();
            writer.write_obj(OutHeader {
                len: u32::try_from(length).map_err(io::Error::other)?,
                error,
                unique,
            })?;
            writer.write_all(body)?;
            Ok(length)
        })
    }

    fn finish(self, length: usize) -> io::Result<()> {
        let length = u32::try_from(length).map_err(io::Error::other)?;
        let mut ring = self.ring.get_mut();
        ring.add_used(self.chain.head_index(), length)
            .map_err(io::Error::other)?;
        if !self.asks || ring.needs_notification().unwrap_or(true) {
            ring.signal_used_queue()?;
        }
        Ok(())
    }
}

//! The device: takes requests from the guest's queues and has them answered by a few threads.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, RwLock};
use std::thread;

use anyhow::Context as _;
use rustix::thread::UnshareFlags;
use vhost::vhost_user::message::{VhostUserProtocolFeatures, VhostUserVirtioFeatures};
use vhost_user_backend::bitmap::BitmapMmapRegion;
use vhost_user_backend::{VhostUserBackend, VringT};
use virtio_queue::QueueOwnedT;
use virtiofsd::filesystem::{Context, FileSystem};
use virtiofsd::fuse::{GetxattrIn, InHeader, LkIn, LkOut, Opcode, ROOT_ID};
use virtiofsd::server::Server;
use vm_memory::{ByteValued, GuestAddressSpace};
use vmm_sys_util::epoll::EventSet;
use vmm_sys_util::event::{EventConsumer, EventFlag, EventNotifier, new_event_consumer_and_notifier};

use crate::locking::{Locking, listing, open_file};
use crate::locks::Locks;
use crate::request::{Memory, Request, Ring};

/// Requests that are worked on at a time: one that waits for a slow drive holds up no other.
const WORKERS: usize = 4;
/// One for what the guest forgets, and one for the rest.
const QUEUES: usize = 2;
/// What QEMU gives a queue at most.
const QUEUE_SIZE: usize = 1024;
/// Of the virtio specification: version 1 (bit 32), indirect descriptors (28), and notification on demand (29).
const FEATURES: u64 = 1 << 32 | 1 << 28 | 1 << 29;
/// The attribute of the tree's root that is the guest's threads that wait for locks, once there are any.
const WAITING: &[u8] = b"user.container.waiting\0";

/// The guest's side of the device.
pub(crate) struct Device {
    memory: RwLock<Option<Memory>>,
    asks: AtomicBool,
    requests: Sender<Request>,
}

impl Device {
    /// A device that shows `files` to the guest.
    ///
    /// # Errors
    /// The host refuses threads.
    pub(crate) fn new<F>(files: F, locks: Locks) -> anyhow::Result<Self>
    where
        F: FileSystem<Inode = u64, Handle = u64> + Send + Sync + 'static,
    {
        let (requests, waiting) = channel();
        let waiting = Arc::new(Mutex::new(waiting));
        let files = Arc::new(files);
        let locks = Arc::new(locks);
        let server = Arc::new(Server::new(Locking(files.clone(), locks.clone())));
        for _ in 0..WORKERS {
            let worker = Worker {
                files: files.clone(),
                locks: locks.clone(),
                server: server.clone(),
                requests: waiting.clone(),
            };
            start(move || worker.work())?;
        }
        start(move || locks.attend())?;
        Ok(Self {
            memory: RwLock::default(),
            asks: AtomicBool::new(false),
            requests,
        })
    }

    /// Hands over what is in a queue.
    fn take(&self, ring: &Ring) -> io::Result<()> {
        let memory = self.memory.read().map_err(|_| gone())?.clone().ok_or_else(gone)?;
        let asks = self.asks.load(Ordering::Relaxed);
        loop {
            let chain = ring
                .get_mut()
                .get_queue_mut()
                .iter(memory.memory())
                .map_err(io::Error::other)?
                .next();
            let Some(chain) = chain else {
                return Ok(());
            };
            let request = Request {
                chain,
                memory: memory.clone(),
                ring: ring.clone(),
                asks,
            };
            self.requests.send(request).map_err(|_| gone())?;
        }
    }
}

impl VhostUserBackend for Device {
    type Bitmap = BitmapMmapRegion;
    type Vring = Ring;

    fn num_queues(&self) -> usize {
        QUEUES
    }

    fn max_queue_size(&self) -> usize {
        QUEUE_SIZE
    }

    fn features(&self) -> u64 {
        FEATURES | VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits()
    }

    fn protocol_features(&self) -> VhostUserProtocolFeatures {
        VhostUserProtocolFeatures::MQ
            | VhostUserProtocolFeatures::REPLY_ACK
            | VhostUserProtocolFeatures::CONFIGURE_MEM_SLOTS
    }

    fn set_event_idx(&self, enabled: bool) {
        self.asks.store(enabled, Ordering::Relaxed);
    }

    fn update_memory(&self, memory: Memory) -> io::Result<()> {
        *self.memory.write().map_err(|_| gone())? = Some(memory);
        Ok(())
    }

    fn handle_event(&self, queue: u16, _events: EventSet, rings: &[Ring], _thread: usize) -> io::Result<()> {
        let ring = rings.get(usize::from(queue)).ok_or_else(gone)?;
        if !self.asks.load(Ordering::Relaxed) {
            return self.take(ring);
        }
        loop {
            ring.disable_notification().map_err(io::Error::other)?;
            self.take(ring)?;
            // More may have come before the guest knew that it has to tell.
            if !ring.enable_notification().map_err(io::Error::other)? {
                return Ok(());
            }
        }
    }

    fn exit_event(&self, _thread: usize) -> Option<(EventConsumer, EventNotifier)> {
        new_event_consumer_and_notifier(EventFlag::NONBLOCK).ok()
    }
}

/// What a thread needs to answer requests.
struct Worker<F: FileSystem<Inode = u64, Handle = u64> + Send + Sync> {
    files: Arc<F>,
    locks: Arc<Locks>,
    server: Arc<Server<Locking<F>>>,
    requests: Arc<Mutex<Receiver<Request>>>,
}

impl<F: FileSystem<Inode = u64, Handle = u64> + Send + Sync> Worker<F> {
    /// Answers requests until the device is gone.
    fn work(&self) {
        loop {
            let next = self.requests.lock().map(|requests| requests.recv());
            let Ok(Ok(request)) = next else {
                return;
            };
            if let Err(error) = self.answer(request) {
                fail(&error);
            }
        }
    }

    fn answer(&self, request: Request) -> io::Result<()> {
        let header = request.header()?;
        match Opcode::try_from(header.opcode) {
            Ok(Opcode::Getlk) => self.test(request),
            Ok(Opcode::Setlk) => self.lock(request, false),
            Ok(Opcode::Setlkw) => self.lock(request, true),
            Ok(Opcode::Getxattr) if header.nodeid == ROOT_ID => match self.watch(request)? {
                Some(request) => self.pass_on(request),
                None => Ok(()),
            },
            Ok(Opcode::Readdirplus) => listing(|| self.pass_on(request)),
            _ => self.pass_on(request),
        }
    }

    fn pass_on(&self, request: Request) -> io::Result<()> {
        request.answer_with(|reader, writer| {
            self.server
                .handle_message(reader, writer, None::<&mut ()>)
                .map_err(io::Error::other)
        })
    }

    fn test(&self, request: Request) -> io::Result<()> {
        let (header, wanted): (InHeader, LkIn) = request.read(|header, wanted, _| (header, wanted))?;
        let file = open_file(&*self.files, Context::from(header), header.nodeid, wanted.fh);
        let found = file.and_then(|file| self.locks.test(file, &wanted));
        let found = found.map(|lk| LkOut { lk });
        request.answer(
            header.unique,
            found.as_ref().map(ByteValued::as_slice).map_err(copy),
        )
    }

    fn lock(&self, request: Request, wait: bool) -> io::Result<()> {
        let (header, wanted): (InHeader, LkIn) = request.read(|header, wanted, _| (header, wanted))?;
        let file = match open_file(&*self.files, Context::from(header), header.nodeid, wanted.fh) {
            Ok(file) => file,
            Err(error) => return request.answer(header.unique, Err(error)),
        };
        let reply = Box::new(move |result: io::Result<()>| {
            if let Err(error) = request.answer(header.unique, result.map(|()| &[][..])) {
                fail(&error);
            }
        });
        self.locks
            .lock(header.pid, header.nodeid, file, &wanted, wait, reply);
        Ok(())
    }

    /// Answers a request for [`WAITING`] when somebody waits. Any other one is given back.
    fn watch(&self, request: Request) -> io::Result<Option<Request>> {
        let (header, room) = request.read(|header, body: GetxattrIn, mut reader| {
            let mut name = [0; WAITING.len()];
            let found = io::Read::read_exact(&mut reader, &mut name).is_ok() && name == WAITING;
            (header, found.then_some(body.size as usize))
        })?;
        let Some(room) = room else {
            return Ok(Some(request));
        };
        self.locks.watch(Box::new(move |threads| {
            let mut text = String::new();
            for thread in threads {
                let number = format!("{thread} ");
                if text.len() + number.len() <= room {
                    text.push_str(&number);
                }
            }
            if let Err(error) = request.answer(header.unique, Ok(text.as_bytes())) {
                fail(&error);
            }
        }));
        Ok(None)
    }
}

/// Starts a thread with a working directory of its own: some attributes are reached by way of it.
fn start(work: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
    let started = thread::Builder::new().spawn(move || {
        // SAFETY: only what is shared of the file system is given up; memory and descriptors stay shared.
        match unsafe { rustix::thread::unshare_unsafe(UnshareFlags::FS) } {
            Ok(()) => work(),
            Err(error) => fail(&error.into()),
        }
    });
    started.map(drop).context("failed to start a thread")
}

/// A device that cannot answer is none: the machine is told by the end of this process.
fn fail(error: &io::Error) -> ! {
    eprintln!("failed to answer the virtual machine: {error}");
    std::process::exit(1)
}

fn gone() -> io::Error {
    io::Error::other("the device is not set up")
}

fn copy(error: &io::Error) -> io::Error {
    io::Error::from_raw_os_error(error.raw_os_error().unwrap_or(libc::EIO))
}

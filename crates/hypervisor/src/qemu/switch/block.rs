//! Disks, and the descriptors that their files come through.

use std::os::fd::RawFd;

use super::{Options, Switch};

/// `-add-fd`: a file that QEMU uses as `/dev/fdset/<set>`. How it was opened is all that QEMU can do to it.
pub(in crate::qemu) struct AddFd {
    pub(in crate::qemu) fd: RawFd,
    pub(in crate::qemu) set: u32,
}

impl Switch for AddFd {
    const NAME: &'static str = "-add-fd";

    fn value(&self) -> String {
        Options::new("")
            .set("fd", self.fd)
            .set("set", self.set)
            .into_value()
    }
}

/// `-blockdev`: a raw image in a descriptor set.
///
/// Caching is writeback through the host's page cache, which machines share; a flush of the guest is an fdatasync of the host.
pub(in crate::qemu) struct Blockdev {
    pub(in crate::qemu) node_name: String,
    pub(in crate::qemu) set: u32,
    pub(in crate::qemu) read_only: bool,
}

impl Switch for Blockdev {
    const NAME: &'static str = "-blockdev";

    fn value(&self) -> String {
        let options = Options::new("")
            .set("driver", "file")
            .set("node-name", &self.node_name)
            .set("filename", format_args!("/dev/fdset/{}", self.set))
            .set("aio", "threads")
            .switch("cache.direct", false)
            .switch("cache.no-flush", false)
            .switch("read-only", self.read_only);
        if self.read_only {
            // Nobody can write through this descriptor: there is nothing to lock others out of.
            options.set("locking", "off").into_value()
        } else {
            options
                .set("locking", "auto")
                .set("discard", "unmap")
                .set("detect-zeroes", "unmap")
                .into_value()
        }
    }
}

/// `-device virtio-blk-device`.
pub(in crate::qemu) struct VirtioBlk<'a> {
    pub(in crate::qemu) drive: &'a str,
    pub(in crate::qemu) serial: &'a str,
}

impl Switch for VirtioBlk<'_> {
    const NAME: &'static str = "-device";

    fn value(&self) -> String {
        Options::new("virtio-blk-device")
            .set("drive", self.drive)
            .set("serial", self.serial)
            // The guest is told of a full host disk. QEMU's default stops the machine without a word.
            .set("werror", "report")
            .set("rerror", "report")
            .into_value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_only_disk_is_never_locked_nor_discarded() {
        let value = Blockdev {
            node_name: "disk0".into(),
            set: 1,
            read_only: true,
        }
        .value();
        assert_eq!(
            value,
            "driver=file,node-name=disk0,filename=/dev/fdset/1,aio=threads,cache.direct=off,cache.no-flush=off,\
             read-only=on,locking=off"
        );
    }

    #[test]
    fn a_writable_disk_honours_flushes_and_gives_space_back() {
        let value = Blockdev {
            node_name: "disk2".into(),
            set: 3,
            read_only: false,
        }
        .value();
        assert!(
            value
                .ends_with("cache.no-flush=off,read-only=off,locking=auto,discard=unmap,detect-zeroes=unmap")
        );
    }

    #[test]
    fn a_serial_cannot_add_options() {
        let value = VirtioBlk {
            drive: "disk0",
            serial: "x,scsi=on",
        }
        .value();
        assert_eq!(
            value,
            "virtio-blk-device,drive=disk0,serial=x,,scsi=on,werror=report,rerror=report"
        );
    }
}

//! From a configuration to QEMU's command line.

use std::os::fd::{AsRawFd, RawFd};

use super::AGENT_PORT_NAME;
use super::accelerator::Accelerator;
use super::kernel_args::KernelArgs;
use super::switch::CommandLine;
use super::switch::block::{AddFd, Blockdev, VirtioBlk};
use super::switch::boot::{Append, Kernel};
use super::switch::control::{Mon, Sandbox};
use super::switch::machine::{Accel, Cpu, Global, Machine, Memory, Name, Smp};
use super::switch::net::{Netdev, VirtioNet};
use super::switch::rng::VirtioRng;
use super::switch::serial::{CharBackend, Chardev, Virtconsole, VirtioSerial, Virtserialport};
use super::switch::shares::{SharedMemory, VhostUserFs};
use crate::{Architecture, NicKind, SHARES_TAG, VmConfig};

const MIB: u64 = 1 << 20;

/// The descriptor set of the console's log; the disks' follow it.
const CONSOLE_SET: u32 = 0;

/// The descriptors that a QEMU process inherits, by their numbers.
#[derive(Debug)]
pub(super) struct Descriptors {
    pub(super) kernel: RawFd,
    pub(super) disks: Vec<RawFd>,
    pub(super) console: RawFd,
    pub(super) qmp: RawFd,
    pub(super) agent: RawFd,
    /// The connection to the server of the shared directories, if there are any.
    pub(super) shares: Option<RawFd>,
}

/// What a command line is made of.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) config: &'a VmConfig,
    pub(super) accelerator: Accelerator,
    pub(super) tsc_khz: Option<u64>,
    pub(super) descriptors: &'a Descriptors,
}

impl Plan<'_> {
    /// The words after the program's name.
    pub(super) fn words(&self) -> Vec<String> {
        // The arm64 board fills its slots from the last one on.
        let mut line = CommandLine::new(self.config.architecture == Architecture::Aarch64);
        line.push(&Name {
            guest: &self.config.name,
        });
        line.flag("-no-user-config");
        line.flag("-nodefaults");
        line.flag("-no-reboot");
        line.push(&Sandbox);
        self.board(&mut line);
        self.boot(&mut line);
        self.console_and_control(&mut line);
        // Slots are handed out in this order, and the guest's kernel finds devices in the order of their slots:
        // so the first disk is vda and the first interface eth0.
        self.disks(&mut line);
        self.nics(&mut line);
        line.device(&VirtioSerial { max_ports: 2 });
        line.push(&Virtconsole { chardev: "console" });
        line.push(&Virtserialport {
            chardev: "agent",
            name: AGENT_PORT_NAME,
        });
        line.device(&VirtioRng);
        self.shares(&mut line);
        line.into_words()
    }

    fn board(&self, line: &mut CommandLine) {
        let config = self.config;
        line.push(&match config.architecture {
            Architecture::X86_64 => Machine::Microvm,
            Architecture::Aarch64 => Machine::Virt,
        });
        line.push(&Global::MODERN_VIRTIO);
        line.push(&Accel(self.accelerator));
        line.push(&self.cpu());
        line.push(&Smp { cpus: config.cpus });
        let size = config.memory.div_ceil(MIB);
        line.push(&Memory { size });
        if self.descriptors.shares.is_some() {
            line.push(&SharedMemory { size });
            line.push(&SharedMemory::MACHINE);
        }
        line.flag("-display");
        line.flag("none");
    }

    fn cpu(&self) -> Cpu {
        let features = match (self.config.architecture, self.accelerator) {
            (Architecture::X86_64, Accelerator::Kvm) if !self.config.nested_virtualization => {
                vec![("vmx", false), ("svm", false)]
            }
            // An emulated guest gains nothing from an emulated extension, nor from five levels of page tables. With fast
            // string operations the kernel would clear and copy memory byte by byte, for which the emulator takes two to
            // seven times as long as word by word.
            (Architecture::X86_64, Accelerator::Tcg) => {
                ["svm", "la57", "erms", "fsrm"].map(|name| (name, false)).to_vec()
            }
            // The architecture's own cipher for signed pointers is slow to emulate, and the kernel signs every return.
            (Architecture::Aarch64, Accelerator::Tcg) => vec![("pauth-impdef", true)],
            _ => Vec::new(),
        };
        let model = match self.accelerator {
            Accelerator::Kvm => "host",
            Accelerator::Tcg => "max",
        };
        Cpu { model, features }
    }

    fn boot(&self, line: &mut CommandLine) {
        line.push(&Kernel {
            fd: self.descriptors.kernel,
        });
        let args = KernelArgs {
            architecture: self.config.architecture,
            accelerator: self.accelerator,
            tsc_khz: self.tsc_khz,
            user: &self.config.kernel_args,
        };
        line.push(&Append(args.command_line()));
    }

    fn console_and_control(&self, line: &mut CommandLine) {
        line.push(&AddFd {
            fd: self.descriptors.console,
            set: CONSOLE_SET,
        });
        line.push(&Chardev {
            id: "console",
            backend: CharBackend::File { set: CONSOLE_SET },
        });
        line.push(&Chardev {
            id: "agent",
            backend: CharBackend::Socket {
                fd: self.descriptors.agent,
            },
        });
        line.push(&Chardev {
            id: "qmp",
            backend: CharBackend::Socket {
                fd: self.descriptors.qmp,
            },
        });
        line.push(&Mon { chardev: "qmp" });
    }

    fn disks(&self, line: &mut CommandLine) {
        let disks = self.config.disks.iter().zip(&self.descriptors.disks);
        for (set, (disk, fd)) in (CONSOLE_SET + 1..).zip(disks) {
            let node_name = format!("disk{}", set - 1);
            line.push(&AddFd { fd: *fd, set });
            line.push(&Blockdev {
                node_name: node_name.clone(),
                set,
                read_only: disk.read_only,
            });
            line.device(&VirtioBlk {
                drive: &node_name,
                serial: &disk.serial,
            });
        }
    }

    fn shares(&self, line: &mut CommandLine) {
        let Some(fd) = self.descriptors.shares else { return };
        line.push(&Chardev {
            id: "shares",
            backend: CharBackend::Socket { fd },
        });
        line.device(&VhostUserFs {
            chardev: "shares",
            tag: SHARES_TAG,
        });
    }

    fn nics(&self, line: &mut CommandLine) {
        for (number, nic) in self.config.nics.iter().enumerate() {
            let id = format!("net{number}");
            // No machine is made with another kind.
            let NicKind::Tap(tap) = &nic.kind else { continue };
            line.push(&Netdev {
                id: &id,
                fd: tap.as_raw_fd(),
            });
            line.device(&VirtioNet {
                netdev: &id,
                mac: nic.mac,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Disk, MacAddress, Nic};

    fn config(architecture: Architecture) -> VmConfig {
        let mut config = VmConfig::new("web,1", "/kernel", "/log");
        config.architecture = architecture;
        config.cpus = 2;
        config.memory = 512 * MIB + 1;
        config.disks = vec![
            Disk::read_only("/init", "init"),
            Disk::writable("/scratch", "scratch"),
        ];
        config.nics = vec![Nic {
            mac: MacAddress([2, 0, 0, 0, 0, 1]),
            kind: NicKind::Tap(std::fs::File::open("/dev/null").expect("a file").into()),
        }];
        config
    }

    fn words(config: &VmConfig, accelerator: Accelerator) -> Vec<String> {
        let descriptors = Descriptors {
            kernel: 10,
            disks: vec![11, 12],
            console: 13,
            qmp: 14,
            agent: 15,
            shares: None,
        };
        Plan {
            config,
            accelerator,
            tsc_khz: Some(2_600_000),
            descriptors: &descriptors,
        }
        .words()
    }

    /// The command line of an emulated x86-64 machine, a switch a line.
    const EMULATED_X86_64: &str = "\
-name guest=web,,1
-no-user-config
-nodefaults
-no-reboot
-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
-M microvm,acpi=on,rtc=on,pit=on,pic=off,isa-serial=off,x-option-roms=off,auto-kernel-cmdline=off
-global virtio-mmio.force-legacy=off
-accel tcg,thread=multi
-cpu max,svm=off,la57=off,erms=off,fsrm=off
-smp cpus=2
-m size=513M
-display none
-kernel /proc/self/fd/10
-append console=hvc0 tsc=reliable tsc_early_khz=2600000 lpj=10400000 no_timer_check lapic_timer_khz=1000000 panic=-1 oops=panic \
lsm=lockdown,capability,landlock,yama,apparmor init=/sbin/vminitd ro rootfstype=erofs root=/dev/vda
-add-fd fd=13,set=0
-chardev file,id=console,path=/dev/fdset/0,append=on
-chardev socket,id=agent,fd=15
-chardev socket,id=qmp,fd=14
-mon chardev=qmp,mode=control
-add-fd fd=11,set=1
-blockdev driver=file,node-name=disk0,filename=/dev/fdset/1,aio=threads,cache.direct=off,cache.no-flush=off,\
read-only=on,locking=off
-device virtio-blk-device,drive=disk0,serial=init,werror=report,rerror=report
-add-fd fd=12,set=2
-blockdev driver=file,node-name=disk1,filename=/dev/fdset/2,aio=threads,cache.direct=off,cache.no-flush=off,\
read-only=off,locking=auto,discard=unmap,detect-zeroes=unmap
-device virtio-blk-device,drive=disk1,serial=scratch,werror=report,rerror=report
-netdev tap,id=net0,fd=TAP
-device virtio-net-device,netdev=net0,mac=02:00:00:00:00:01
-device virtio-serial-device,max_ports=2
-device virtconsole,chardev=console
-device virtserialport,chardev=agent,name=container.agent
-device virtio-rng-device";

    fn lines(words: &[String]) -> String {
        words.join(" ").replace(" -", "\n-")
    }

    #[test]
    fn emulated_x86_64() {
        let config = config(Architecture::X86_64);
        let NicKind::Tap(tap) = &config.nics[0].kind else {
            panic!("no tap")
        };
        assert_eq!(
            lines(&words(&config, Accelerator::Tcg)),
            EMULATED_X86_64.replace("TAP", &tap.as_raw_fd().to_string())
        );
    }

    #[test]
    fn shared_directories_take_shared_memory() {
        let config = config(Architecture::X86_64);
        let descriptors = Descriptors {
            kernel: 10,
            disks: vec![11, 12],
            console: 13,
            qmp: 14,
            agent: 15,
            shares: Some(16),
        };
        let plan = Plan {
            config: &config,
            accelerator: Accelerator::Tcg,
            tsc_khz: None,
            descriptors: &descriptors,
        };
        let line = lines(&plan.words());
        let memory = "-m size=513M\n-object memory-backend-memfd,id=memory,size=513M,share=on\n\
                      -machine memory-backend=memory\n";
        assert!(line.contains(memory), "{line}");
        // Last, so that all other devices are where they are without it.
        let device = "-device virtio-rng-device\n-chardev socket,id=shares,fd=16\n\
                      -device vhost-user-fs-device,chardev=shares,tag=virtiofs,queue-size=1024";
        assert!(line.ends_with(device), "{line}");
    }

    #[test]
    fn x86_64_on_kvm() {
        let mut config = config(Architecture::X86_64);
        let line = lines(&words(&config, Accelerator::Kvm));
        assert!(line.contains("-accel kvm\n-cpu host,vmx=off,svm=off\n"), "{line}");
        assert!(!line.contains("tsc_early_khz"), "{line}");
        config.nested_virtualization = true;
        assert!(lines(&words(&config, Accelerator::Kvm)).contains("-cpu host\n"));
    }

    #[test]
    fn aarch64() {
        for (accelerator, cpu) in [
            (Accelerator::Tcg, "max,pauth-impdef=on"),
            (Accelerator::Kvm, "host"),
        ] {
            let line = lines(&words(&config(Architecture::Aarch64), accelerator));
            assert!(
                line.contains("-M virt,gic-version=max\n-global virtio-mmio.force-legacy=off\n"),
                "{line}"
            );
            assert!(line.contains(&format!("-cpu {cpu}\n")), "{line}");
            assert!(line.contains("-append console=hvc0 panic=-1 "), "{line}");
            // The first disk is vda because it is in the first slot.
            let devices = line
                .lines()
                .filter_map(|line| line.split_once(",bus=virtio-mmio-bus."));
            let slots: Vec<&str> = devices.clone().map(|(_, slot)| slot).collect();
            assert_eq!(slots, ["0", "1", "2", "3", "4"], "{line}");
            let (first, _) = devices.clone().next().unwrap();
            assert_eq!(
                first,
                "-device virtio-blk-device,drive=disk0,serial=init,werror=report,rerror=report"
            );
        }
    }
}

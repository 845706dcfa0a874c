//! Rosetta in the guest of a Mac: mounted, and made what runs programs of x86-64 (behaviour reference, 28.7).

use container_hypervisor::ROSETTA_TAG;
use container_ipc::Error;
use container_resource::ContainerConfiguration;
use container_sandbox::Agent;
use container_sandbox::proto::SetupEmulatorRequest;

use crate::guest;

/// Where it is mounted.
const MOUNT_POINT: &str = "/run/rosetta";

/// The first 20 bytes of a program of x86-64: 64 bits, little-endian, any system's, an executable (2), of processor 62.
const MAGIC: [u8; 20] = *b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0";
/// Which of their bits count. Not the number of the system's interface, and not the bit that tells an executable that can
/// be loaded anywhere (3) from one that cannot.
const MASK: [u8; 20] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
    0xff, 0xff, 0xff,
];

/// Mounts and registers Rosetta for a container that wants it.
///
/// # Errors
/// The guest's kernel refuses.
pub(crate) async fn set_up(agent: &Agent, configuration: &ContainerConfiguration) -> Result<(), Error> {
    if !configuration.rosetta {
        return Ok(());
    }
    let set_up = async {
        guest::mount(agent, "virtiofs", ROSETTA_TAG, MOUNT_POINT, Vec::new()).await?;
        agent.setup_emulator(registration()).await
    };
    let done = set_up.await.map(drop);
    done.map_err(|error| error.wrap("failed to set up Rosetta"))
}

/// What the guest's kernel is told. `C`: programs keep the rights that their own files give. `F`: Rosetta is opened now, so
/// containers need not see it.
fn registration() -> SetupEmulatorRequest {
    SetupEmulatorRequest {
        binary_path: format!("{MOUNT_POINT}/rosetta"),
        name: "x86_64".to_owned(),
        r#type: "M".to_owned(),
        offset: "0".to_owned(),
        magic: escaped(&MAGIC),
        mask: escaped(&MASK),
        flags: "CF".to_owned(),
    }
}

/// Bytes as the kernel takes them in one line of text.
fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the kernel would run a file that begins so through Rosetta.
    fn matches(header: &[u8]) -> bool {
        let bits = MAGIC.iter().zip(MASK);
        header.len() >= MAGIC.len()
            && header
                .iter()
                .zip(bits)
                .all(|(byte, (magic, mask))| (byte ^ magic) & mask == 0)
    }

    #[test]
    fn programs_of_x86_64_and_no_others() {
        let own = std::fs::read(std::env::current_exe().expect("a path")).expect("a program");
        assert_eq!(
            matches(&own),
            cfg!(target_arch = "x86_64") && cfg!(target_os = "linux")
        );
        let changed = |at: usize, byte: u8| {
            let mut header = MAGIC;
            header[at] = byte;
            matches(&header)
        };
        // One that can be loaded anywhere, and one for GNU/Linux.
        assert!(changed(16, 3) && changed(7, 3));
        // 32 bits, an object file, a processor of arm64, a script.
        assert!(!changed(4, 1) && !changed(16, 1) && !changed(18, 0xb7) && !changed(0, b'#'));
        assert!(!matches(b"\x7fELF"));
    }

    #[test]
    fn the_registration_is_plain_text() {
        let request = registration();
        assert_eq!(request.binary_path, "/run/rosetta/rosetta");
        assert!(request.magic.starts_with(r"\x7f\x45\x4c\x46\x02\x01\x01\x00"));
        assert!(request.magic.ends_with(r"\x02\x00\x3e\x00"));
        assert_eq!(request.magic.len(), request.mask.len());
        assert_eq!(request.flags, "CF");
    }
}

//! `--rosetta` (behaviour.md 9.15).

use container_resource::Platform;

use crate::error::Failure;

/// A host as far as Rosetta is concerned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Host {
    arm64: bool,
    macos: bool,
}

impl Host {
    /// This one.
    pub(super) fn this() -> Self {
        Self {
            arm64: Platform::linux_host().architecture == "arm64",
            macos: cfg!(target_os = "macos"),
        }
    }

    /// Refuses the option where it cannot be had. Whether Rosetta is installed shows when the container starts.
    pub(super) fn check(self, asked: bool) -> Result<(), Failure> {
        match self {
            _ if !asked => Ok(()),
            Self { arm64: false, .. } => Err(Failure::error("--rosetta flag requires an arm64 host")),
            Self { macos: false, .. } => Err(Failure::error(
                "--rosetta flag requires macOS; leave it out: machines of other processors are emulated here",
            )),
            Self { .. } => Ok(()),
        }
    }

    /// Whether a container of `platform` is given Rosetta: when it was asked for, and when it could not run otherwise.
    pub(super) fn wants(self, asked: bool, platform: &Platform) -> bool {
        asked || self.macos && self.arm64 && platform.architecture == "amd64"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Host = Host {
        arm64: true,
        macos: true,
    };

    #[test]
    fn only_macs_with_apple_silicon_have_it() {
        let intel = Host { arm64: false, ..MAC };
        let linux = Host { macos: false, ..MAC };
        let refused = Failure::error("--rosetta flag requires an arm64 host");
        assert_eq!(intel.check(true), Err(refused));
        assert!(linux.check(true).is_err());
        for host in [MAC, intel, linux] {
            assert_eq!(host.check(false), Ok(()));
        }
        assert_eq!(MAC.check(true), Ok(()));
    }

    #[test]
    fn programs_of_amd64_imply_it() {
        let wants = |host: Host, asked, text: &str| host.wants(asked, &text.parse().expect("a platform"));
        assert!(wants(MAC, false, "linux/amd64"));
        assert!(!wants(MAC, false, "linux/arm64"));
        assert!(wants(MAC, true, "linux/arm64"));
        assert!(!wants(Host { macos: false, ..MAC }, false, "linux/amd64"));
        assert!(!wants(Host { arm64: false, ..MAC }, false, "linux/amd64"));
    }
}

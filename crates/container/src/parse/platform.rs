//! `--platform`, `--os`, `--arch` and `CONTAINER_DEFAULT_PLATFORM` (behaviour.md 9.15).

use container_ipc::Error;
use container_resource::Platform;

/// The variable that chooses a platform where no option does.
pub const VARIABLE: &str = "CONTAINER_DEFAULT_PLATFORM";

/// A platform and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The platform.
    pub platform: Platform,
    /// It comes from the environment, which is worth a note.
    pub from_environment: bool,
}

impl Chosen {
    fn option(platform: Platform) -> Self {
        Self {
            platform,
            from_environment: false,
        }
    }
}

/// The platform of a container: `--platform`, then the variable, then `--os` and `--arch`, which always have values.
///
/// # Errors
/// The text is no platform.
pub fn for_container(
    platform: Option<&str>,
    os: &str,
    arch: Option<&str>,
    variable: Option<&str>,
) -> Result<Chosen, Error> {
    if let Some(text) = platform {
        return parse(text).map(Chosen::option);
    }
    if let Some(chosen) = from_environment(variable)? {
        return Ok(chosen);
    }
    let host = Platform::linux_host();
    parse(&format!("{os}/{}", arch.unwrap_or(&host.architecture))).map(Chosen::option)
}

/// The platform of an image transfer: `--platform`, then `--os` and `--arch`, then the variable, then all platforms.
///
/// # Errors
/// The text is no platform.
pub fn for_transfer(
    platform: Option<&str>,
    os: Option<&str>,
    arch: Option<&str>,
    variable: Option<&str>,
) -> Result<Option<Chosen>, Error> {
    if let Some(text) = platform {
        return parse(text).map(Chosen::option).map(Some);
    }
    if os.is_none() && arch.is_none() {
        return from_environment(variable);
    }
    let host = Platform::linux_host();
    let text = format!("{}/{}", os.unwrap_or("linux"), arch.unwrap_or(&host.architecture));
    parse(&text).map(Chosen::option).map(Some)
}

/// The platform of the virtual machine for containers of the platform `container`: that of its kernel and its agent.
///
/// A kernel runs programs of its architecture, and the 32-bit ones of the one before. QEMU emulates what the host is not;
/// Virtualization.framework runs kernels of the host alone, and what Rosetta runs for them.
pub fn of_machine(container: &Platform) -> Platform {
    let host = Platform::linux_host();
    match container.architecture.as_str() {
        _ if cfg!(target_os = "macos") => host,
        "amd64" | "386" => Platform::new("linux", "amd64", None),
        "arm64" | "arm" => Platform::new("linux", "arm64", None),
        _ => host,
    }
}

fn parse(text: &str) -> Result<Platform, Error> {
    text.parse()
        .map_err(|_| Error::invalid_argument(format!("invalid platform \"{text}\"")))
}

fn from_environment(variable: Option<&str>) -> Result<Option<Chosen>, Error> {
    let Some(text) = variable.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let platform = text.parse().map_err(|_| {
        Error::invalid_argument(format!(
            "invalid platform \"{text}\" in {VARIABLE} environment variable"
        ))
    })?;
    Ok(Some(Chosen {
        platform,
        from_environment: true,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(
        platform: Option<&str>,
        arch: Option<&str>,
        variable: Option<&str>,
    ) -> Result<String, String> {
        let chosen = for_container(platform, "linux", arch, variable);
        chosen
            .map(|chosen| chosen.platform.to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_variable_beats_the_architecture_of_a_container() {
        assert_eq!(
            container(Some("linux/arm64"), Some("amd64"), Some("linux/386")),
            Ok("linux/arm64".to_owned())
        );
        assert_eq!(
            container(None, Some("amd64"), Some("linux/386")),
            Ok("linux/386".to_owned())
        );
        assert_eq!(
            container(None, Some("x86_64"), None),
            Ok("linux/amd64".to_owned())
        );
        assert_eq!(
            container(None, None, Some("")),
            Ok(Platform::linux_host().to_string())
        );
    }

    #[test]
    fn options_beat_the_variable_of_a_transfer() {
        let transfer = |arch, variable| {
            for_transfer(None, None, arch, variable)
                .map(|chosen| chosen.map(|chosen| chosen.platform.to_string()))
        };
        assert_eq!(
            transfer(Some("arm64"), Some("linux/386")),
            Ok(Some("linux/arm64".to_owned()))
        );
        assert_eq!(
            transfer(None, Some("linux/386")),
            Ok(Some("linux/386".to_owned()))
        );
        assert_eq!(transfer(None, None), Ok(None));
    }

    #[test]
    fn texts() {
        assert_eq!(
            container(Some("plan9/amd64"), None, None),
            Err("invalid platform \"plan9/amd64\"".to_owned())
        );
        assert_eq!(
            container(None, None, Some("x")),
            Err("invalid platform \"x\" in CONTAINER_DEFAULT_PLATFORM environment variable".to_owned())
        );
    }

    #[test]
    #[cfg(not(target_os = "macos"))]
    fn machines_run_what_their_containers_are() {
        let machine = |text: &str| text.parse().map(|platform| of_machine(&platform).to_string());
        assert_eq!(machine("linux/arm64"), Ok("linux/arm64".to_owned()));
        assert_eq!(machine("linux/arm/v7"), Ok("linux/arm64".to_owned()));
        assert_eq!(machine("linux/386"), Ok("linux/amd64".to_owned()));
        assert_eq!(machine("linux/riscv64"), Ok(Platform::linux_host().to_string()));
    }
}

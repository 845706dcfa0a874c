//! `container system kernel set`: install a default kernel.

use std::path::{Path, absolute};

use clap::Args;
use container_client::api::InstallKernelRequest;
use container_config::SystemConfiguration;
use container_resource::Platform;

use crate::error::{Failure, Outcome};
use crate::output;
use crate::progress::Progress;
use crate::services::Services;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container system kernel set`.
#[derive(Args, Debug, Clone)]
pub struct Set {
    /// Architecture of the kernel.
    #[arg(long, value_name = "arch", help = "Architecture of the kernel: amd64 | arm64")]
    pub arch: Option<String>,
    /// Kernel file.
    #[arg(long, value_name = "binary", help = "Kernel file: path or tar member")]
    pub binary: Option<String>,
    /// Overwrite.
    #[arg(long)]
    pub force: bool,
    /// Download the recommended kernel; ignores the other options.
    #[arg(long)]
    pub recommended: bool,
    /// Archive with the kernel.
    #[arg(
        long,
        value_name = "tar",
        help = "Archive with the kernel: path or http(s) URL"
    )]
    pub tar: Option<String>,
    /// Expected archive digest; mandatory for a remote archive.
    #[arg(
        long,
        value_name = "digest",
        help = "Expected archive digest; mandatory for a remote archive: sha256:<64 hex>"
    )]
    pub digest: Option<String>,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}

impl Set {
    pub(super) async fn run(self) -> Outcome {
        let services = Services::from_environment()?;
        let request = if self.recommended {
            let system = services.configuration(&services.api().await?).await?;
            let url = &system.kernel.url;
            output::print_error(&format!("Installing the recommended kernel from {url}..."));
            recommended(&system, self.force)
        } else {
            self.request(|path| path.exists())?
        };
        let api = services.api().await?;
        let mut progress = Progress::on_terminal(1);
        api.install_kernel(request, progress.sender()).await?;
        progress.finish();
        Ok(0)
    }

    /// What the options ask for; `exists` looks at the host.
    fn request(self, exists: impl Fn(&Path) -> bool) -> Result<InstallKernelRequest, Failure> {
        let system_platform = platform(self.arch.as_deref())?;
        if self.digest.is_some() && self.tar.is_none() {
            return Err(Failure::usage("'--digest' can only be used with '--tar'"));
        }
        let Some(binary) = self.binary else {
            return Err(Failure::usage("missing argument '--binary'"));
        };
        let kernel_tar_url = match &self.tar {
            None => None,
            Some(tar) => Some(archive(tar, self.digest.is_some(), exists)?),
        };
        // Beside an archive it names one of its members.
        let kernel_file_path = if kernel_tar_url.is_some() {
            binary
        } else {
            full(&binary)?
        };
        Ok(InstallKernelRequest {
            kernel_file_path,
            kernel_tar_url,
            kernel_force: self.force,
            kernel_digest: self.digest,
            system_platform,
        })
    }
}

/// The kernel that the configuration recommends.
pub(in crate::commands::system) fn recommended(
    system: &SystemConfiguration,
    force: bool,
) -> InstallKernelRequest {
    InstallKernelRequest {
        kernel_file_path: system.kernel.binary_path.clone(),
        kernel_tar_url: Some(system.kernel.url.clone()),
        kernel_force: force,
        kernel_digest: system.kernel.digest.clone(),
        system_platform: Platform::linux_host(),
    }
}

fn platform(arch: Option<&str>) -> Result<Platform, Failure> {
    match arch {
        None => Ok(Platform::linux_host()),
        Some(arch @ ("amd64" | "arm64")) => Ok(Platform::new("linux", arch, None)),
        Some(arch) => Err(Failure::error(format!("unsupported architecture {arch}"))),
    }
}

/// A URL as it is, a file by its full path.
fn archive(tar: &str, has_digest: bool, exists: impl Fn(&Path) -> bool) -> Result<String, Failure> {
    if tar.starts_with("http://") || tar.starts_with("https://") {
        if !has_digest {
            return Err(Failure::usage(
                "'--digest' is required when '--tar' is a remote URL",
            ));
        }
        return Ok(tar.to_owned());
    }
    let path = full(tar)?;
    if !exists(Path::new(&path)) {
        return Err(Failure::error(format!(
            "invalid remote URL '{tar}' for argument '--tar'. Missing protocol?"
        )));
    }
    Ok(path)
}

fn full(path: &str) -> Result<String, Failure> {
    match absolute(Path::new(path)) {
        Ok(path) => Ok(path.display().to_string()),
        Err(error) => Err(Failure::error(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        set: Set,
    }

    fn request(line: &str) -> Result<(String, Option<String>), Failure> {
        let words = ["set"].into_iter().chain(line.split_whitespace());
        let set = Line::try_parse_from(words).expect("parsed").set;
        let request = set.request(|path| path == Path::new("/there.tar"))?;
        Ok((request.kernel_file_path, request.kernel_tar_url))
    }

    #[test]
    fn files_archives_and_urls() {
        assert_eq!(request("--binary /vmlinux"), Ok(("/vmlinux".to_owned(), None)));
        assert_eq!(
            request("--tar /there.tar --binary boot/vmlinux"),
            Ok(("boot/vmlinux".to_owned(), Some("/there.tar".to_owned())))
        );
        let url = "https://example.com/k.tar";
        assert_eq!(
            request(&format!("--tar {url} --binary k --digest sha256:00")),
            Ok(("k".to_owned(), Some(url.to_owned())))
        );
    }

    #[test]
    fn conflicts() {
        assert_eq!(request(""), Err(Failure::usage("missing argument '--binary'")));
        assert_eq!(
            request("--binary k --digest sha256:00"),
            Err(Failure::usage("'--digest' can only be used with '--tar'"))
        );
        assert_eq!(
            request("--binary k --tar https://example.com/k.tar"),
            Err(Failure::usage(
                "'--digest' is required when '--tar' is a remote URL"
            ))
        );
        assert_eq!(
            request("--binary k --tar example.com/k.tar"),
            Err(Failure::error(
                "invalid remote URL 'example.com/k.tar' for argument '--tar'. Missing protocol?"
            ))
        );
        assert_eq!(
            request("--arch riscv --binary k"),
            Err(Failure::error("unsupported architecture riscv"))
        );
    }
}

//! `container system start`: register and start the services.

use std::io;
use std::path::absolute;
use std::time::{Duration, Instant};

use clap::Args;
use container_client::ApiClient;
use container_config::{Roots, SystemConfiguration, publish_user_file, roots::user_configuration_file};
use container_ipc::ErrorCode;
use container_resource::Platform;

use super::apiserver;
use super::kernel::set::recommended;
use crate::error::{Failure, Outcome};
use crate::flags::image_fetch::ImageFetchFlags;
use crate::flags::registry::RegistryFlags;
use crate::progress::Progress;
use crate::services::Services;
use crate::{Context, fetch, log, output};

use crate::flags::logging::LoggingFlags;

/// Arguments of `container system start`.
#[derive(Args, Debug, Clone)]
pub struct Start {
    /// Data directory.
    #[arg(short = 'a', long, value_name = "app-root")]
    pub app_root: Option<String>,
    /// Installation prefix.
    #[arg(long, value_name = "install-root")]
    pub install_root: Option<String>,
    /// Log directory.
    #[arg(long, value_name = "log-root")]
    pub log_root: Option<String>,
    /// Install the recommended kernel without asking.
    #[arg(long, overrides_with = "disable_kernel_install")]
    pub enable_kernel_install: bool,
    /// Do not install a kernel and do not ask.
    #[arg(long)]
    pub disable_kernel_install: bool,
    /// Seconds to wait for the API server.
    #[arg(long, value_name = "timeout", default_value = "60")]
    pub timeout: String,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}

impl Start {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let timeout = timeout(&self.timeout)?;
        let services = Services { roots: self.roots()? };
        let published = user_configuration_file()
            .map_err(|error| error.to_string())
            .and_then(|file| {
                publish_user_file(&file, &services.roots.app).map_err(|error| error.to_string())
            });
        published.map_err(Failure::error)?;
        output::print_error("Launching container-apiserver...");
        let deadline = Instant::now() + timeout;
        let ran = apiserver::start(&services, context.debug).await?;
        output::print_error("Testing access to container-apiserver...");
        let api = match apiserver::await_answer(&services, deadline).await {
            // It was about to end when it was found.
            Err(_) if ran => {
                apiserver::start(&services, context.debug).await?;
                apiserver::await_answer(&services, deadline).await?
            }
            answer => answer?,
        };
        let system = services.configuration(&api).await?;
        self.install_init_image(&services, &system, deadline).await;
        self.install_kernel(&api, &system).await
    }

    /// The directories that the options name, in front of what the environment says.
    fn roots(&self) -> Result<Roots, Failure> {
        let failed = |error: io::Error| Failure::error(error.to_string());
        let mut roots = Services::from_environment()?.roots;
        if let Some(path) = &self.app_root {
            roots.app = absolute(path).map_err(failed)?;
        }
        if let Some(path) = &self.install_root {
            roots.install = absolute(path).map_err(failed)?;
        }
        if let Some(path) = &self.log_root {
            roots.log = Some(absolute(path).map_err(failed)?);
        }
        Ok(roots)
    }

    /// Fetches the init image when it is missing. The system is started without it, so a failure is only told.
    async fn install_init_image(&self, services: &Services, system: &SystemConfiguration, deadline: Instant) {
        let name = &system.vminit.image;
        let install = async {
            let images = apiserver::await_images(services, deadline).await?;
            let platform = Platform::linux_host();
            if images.list().await?.iter().any(|image| &image.reference == name) {
                return Ok(());
            }
            let (registry, downloads) = (
                RegistryFlags {
                    scheme: "auto".to_owned(),
                },
                ImageFetchFlags {
                    max_concurrent_downloads: 3,
                },
            );
            let how = fetch::how(system, &registry, &downloads)?;
            if !name.contains('/') {
                // No registry has it: it is made together with the programs.
                return Err(Failure::error(format!(
                    "no registry is named in {name}; use `container image load`"
                )));
            }
            output::print_error("Installing base container filesystem...");
            let mut progress = Progress::on_terminal(2);
            progress.step("Fetching init image");
            let (image, _) = images.fetch(name, &platform, &how, progress.sender()).await?;
            progress.step("Unpacking init image");
            images.unpack(&image, Some(&platform), progress.sender()).await?;
            progress.finish();
            Ok(())
        };
        let installed: Result<(), Failure> = install.await;
        if let Err(Failure::Error(text)) = installed {
            log::info(
                "init image is not installed",
                &[("image", name), ("error", &text)],
            );
        }
    }

    async fn install_kernel(&self, api: &ApiClient, system: &SystemConfiguration) -> Outcome {
        match api.default_kernel(&Platform::linux_host()).await {
            Ok(_) => return Ok(0),
            Err(error) if error.code == ErrorCode::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        if self.disable_kernel_install {
            return Ok(0);
        }
        if !self.enable_kernel_install {
            output::print_error("No default kernel configured.");
            let question = format!(
                "Install the recommended default kernel from [{}]? [Y/n]: ",
                system.kernel.url
            );
            if !confirmed(&question)? {
                output::print_error("Use `container system kernel set --recommended` to install it later.");
                return Ok(0);
            }
        }
        output::print_error("Installing kernel...");
        let mut progress = Progress::on_terminal(1);
        api.install_kernel(recommended(system, false), progress.sender())
            .await?;
        progress.finish();
        Ok(0)
    }
}

fn timeout(text: &str) -> Result<Duration, Failure> {
    let seconds = text
        .parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    // More than this cannot be added to the present.
    let longest = Duration::from_secs(u64::from(u32::MAX));
    seconds
        .map(|timeout| timeout.min(longest))
        .ok_or_else(|| Failure::usage(format!("Invalid timeout value: {text}")))
}

fn confirmed(question: &str) -> Result<bool, Failure> {
    output::print(question);
    let mut answer = String::new();
    match io::stdin().read_line(&mut answer) {
        Ok(0) | Err(_) => Err(Failure::error("failed to read user input")),
        Ok(_) => Ok(matches!(answer.trim(), "" | "y" | "Y")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts() {
        assert_eq!(timeout("1.5"), Ok(Duration::from_millis(1500)));
        assert!(timeout("1e30").is_err());
        for text in ["soon", "-1", "", "nan"] {
            assert_eq!(
                timeout(text),
                Err(Failure::usage(format!("Invalid timeout value: {text}")))
            );
        }
    }
}

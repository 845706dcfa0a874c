//! `container exec`: run an additional process in a running container.

use clap::Args;
use container_client::api::{ContainerCreateProcessRequest, ProcessReference};
use container_client::stdio::StdioSet;
use container_ipc::Error;
use container_resource::{ProcessConfiguration, name};

use super::configuration::add_environment;
use super::launch::no_streams;
use crate::error::{Failure, Outcome};
use crate::output;
use crate::parse::env::Environment;
use crate::parse::{ulimit, user};
use crate::process::{self, Attachment};
use crate::services::Services;

use crate::flags::logging::LoggingFlags;
use crate::flags::passthrough::ContainerAndCommand;
use crate::flags::process::ProcessFlags;

/// Arguments of `container exec`.
#[derive(Args, Debug, Clone)]
pub struct Exec {
    /// Do not wait, print the container id.
    #[arg(short = 'd', long)]
    pub detach: bool,
    /// The process.
    #[command(flatten)]
    pub process: ProcessFlags,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// The container, then the words of the process.
    #[command(flatten)]
    pub target: ContainerAndCommand,
}

impl Exec {
    pub(super) async fn run(self) -> Outcome {
        let attachment = Attachment {
            interactive: self.process.interactive,
            tty: self.process.tty,
            detached: self.detach,
        };
        process::check(attachment)?;
        let api = Services::from_environment()?.api().await?;
        let (id, command) = self.target.split();
        let container = api.get(&id).await?;
        if !container.status.state.is_up() {
            return Err(Failure::error(format!("container {id} is not running")));
        }
        let process_config = configure(container.configuration.init_process, &self.process, command)?;
        let process = ProcessReference {
            id: id.clone(),
            process_identifier: name::random_id(),
        };
        let request = ContainerCreateProcessRequest {
            id: id.clone(),
            process_identifier: process.process_identifier.clone(),
            process_config,
            stdio: StdioSet::default(),
        };
        let (stdio, streams) = process::open(attachment).map_err(no_streams)?;
        api.create_process(request, stdio).await?;
        if attachment.detached {
            api.start_process(process).await?;
            output::print_line(&id);
            return Ok(0);
        }
        let (session, _) = process::start(&api, process, streams, attachment).await?;
        session.attend().await
    }
}

/// The container's own process with another command, changed by the options.
fn configure(
    init: ProcessConfiguration,
    flags: &ProcessFlags,
    command: Vec<String>,
) -> Result<ProcessConfiguration, Error> {
    let mut words = command.into_iter();
    // The parser insists on a command.
    let executable = words.next().unwrap_or_default();
    let mut environment = Environment::default();
    add_environment(&mut environment, flags)?;
    let (user, groups) = user::parse(flags.user.as_deref(), flags.uid, flags.gid, init.user);
    let mut supplemental_groups = init.supplemental_groups;
    supplemental_groups.extend(groups);
    let mut rlimits = ulimit::parse_all(&flags.ulimit)?;
    let inherited = init
        .rlimits
        .into_iter()
        .filter(|old| !rlimits.iter().any(|new| new.limit == old.limit));
    let inherited: Vec<_> = inherited.collect();
    rlimits.extend(inherited);
    Ok(ProcessConfiguration {
        executable,
        arguments: words.collect(),
        environment: environment.on_top_of(&init.environment),
        working_directory: flags.workdir.clone().unwrap_or(init.working_directory),
        terminal: flags.tty,
        user,
        supplemental_groups,
        supplemental_group_names: init.supplemental_group_names,
        rlimits,
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use container_resource::{Rlimit, User};

    use super::*;
    use crate::cli::{Cli, Command};
    use crate::commands::container::ContainerCommand;

    fn configured(line: &str) -> ProcessConfiguration {
        let words = ["container", "exec"].into_iter().chain(line.split(' '));
        let Some(Command::Container(ContainerCommand::Exec(exec))) =
            Cli::try_parse_from(words).expect("parsed").command
        else {
            panic!("not exec");
        };
        let limit = |name: &str, soft| Rlimit {
            limit: format!("RLIMIT_{name}"),
            soft,
            hard: soft,
        };
        let init = ProcessConfiguration {
            executable: "/init".to_owned(),
            arguments: vec!["x".to_owned()],
            environment: vec!["A=1".to_owned(), "B=2".to_owned()],
            working_directory: "/srv".to_owned(),
            terminal: true,
            user: User::Raw {
                user_string: "app".to_owned(),
            },
            supplemental_groups: vec![5],
            supplemental_group_names: vec!["audio".to_owned()],
            rlimits: vec![limit("NOFILE", 1), limit("CORE", 2)],
        };
        let (_, command) = exec.target.split();
        configure(init, &exec.process, command).expect("configured")
    }

    #[test]
    fn everything_but_the_command_is_inherited() {
        let process = configured("id ls -l");
        assert_eq!(
            (process.executable.as_str(), process.arguments),
            ("ls", vec!["-l".to_owned()])
        );
        assert_eq!(process.environment, ["A=1", "B=2"]);
        assert_eq!(process.working_directory, "/srv");
        assert_eq!(
            process.user,
            User::Raw {
                user_string: "app".to_owned()
            }
        );
        assert_eq!((process.supplemental_groups, process.rlimits.len()), (vec![5], 2));
        assert_eq!(process.supplemental_group_names, ["audio"]);
        assert!(!process.terminal);
    }

    #[test]
    fn options_change_it() {
        let process = configured("-t -e B=3 -e C=4 -w / --gid 7 --ulimit nofile=9 id sh");
        assert!(process.terminal);
        assert_eq!(process.environment, ["A=1", "B=3", "C=4"]);
        assert_eq!(process.working_directory, "/");
        assert_eq!(process.supplemental_groups, [5, 7]);
        let limits: Vec<_> = process
            .rlimits
            .iter()
            .map(|limit| (limit.limit.as_str(), limit.soft))
            .collect();
        assert_eq!(limits, [("RLIMIT_NOFILE", 9), ("RLIMIT_CORE", 2)]);
    }
}

//! What launchd is told about a job.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::Serialize;

use super::domain::Domain;
use crate::error::{Error, Result};
use crate::job::Job;

/// The property list of a job, key by key as launchd.plist(5) names them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct PropertyList<'a> {
    label: &'a str,
    program_arguments: Vec<&'a str>,
    environment_variables: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    mach_services: BTreeMap<&'a str, bool>,
    /// At once, and at every login for what is among the user's agents.
    run_at_load: bool,
    /// A job that ended is not started again by a message to it: whoever started it finds out, and decides.
    launch_only_once: bool,
    #[serde(skip_serializing_if = "<[&str]>::is_empty")]
    limit_load_to_session_type: &'static [&'static str],
    /// Without it, processors and disks are given to jobs sparingly.
    process_type: &'static str,
    soft_resource_limits: Limits,
    standard_out_path: &'a str,
    standard_error_path: &'a str,
    working_directory: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Limits {
    number_of_files: u64,
}

/// How many files a service may have open. launchd gives jobs 256, which few dozens of connections through published
/// ports use up; this is what Apple's helpers have.
const FILES: u64 = 65536;

/// The property list that runs `job` as `label` in `domain`, as XML. `services` are its mach services.
///
/// # Errors
/// A path is not text.
pub(super) fn property_list(job: &Job, label: &str, services: &[String], domain: Domain) -> Result<Vec<u8>> {
    let log = text(&job.log)?;
    let mut program_arguments = vec![text(&job.program)?];
    program_arguments.extend(job.arguments.iter().map(String::as_str));
    let list = PropertyList {
        label,
        program_arguments,
        environment_variables: &job.environment,
        mach_services: services.iter().map(|service| (service.as_str(), true)).collect(),
        run_at_load: true,
        launch_only_once: true,
        limit_load_to_session_type: domain.session_types(),
        process_type: "Interactive",
        soft_resource_limits: Limits {
            number_of_files: FILES,
        },
        standard_out_path: log,
        standard_error_path: log,
        working_directory: text(&job.working_directory)?,
    };
    let mut xml = Vec::new();
    plist::to_writer_xml(&mut xml, &list).map_err(|error| Error::File {
        path: job.program.clone(),
        source: io::Error::other(error),
    })?;
    Ok(xml)
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| Error::File {
        path: path.to_path_buf(),
        source: io::Error::new(io::ErrorKind::InvalidInput, "launchd takes text only"),
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    /// What launchd.plist(5) documents. launchd ignores other keys in silence.
    const DOCUMENTED: [&str; 44] = [
        "AbandonProcessGroup",
        "AssociatedBundleIdentifiers",
        "BundleProgram",
        "Debug",
        "Disabled",
        "EnableGlobbing",
        "EnablePressuredExit",
        "EnableTransactions",
        "EnvironmentVariables",
        "ExitTimeOut",
        "GroupName",
        "HardResourceLimits",
        "InitGroups",
        "KeepAlive",
        "Label",
        "LaunchEvents",
        "LaunchOnlyOnce",
        "LegacyTimers",
        "LimitLoadFromHosts",
        "LimitLoadToHardware",
        "LimitLoadToHosts",
        "LimitLoadToSessionType",
        "LowPriorityBackgroundIO",
        "LowPriorityIO",
        "MachServices",
        "MaterializeDatalessFiles",
        "Nice",
        "OnDemand",
        "ProcessType",
        "Program",
        "ProgramArguments",
        "QueueDirectories",
        "RootDirectory",
        "RunAtLoad",
        "SoftResourceLimits",
        "StandardErrorPath",
        "StandardInPath",
        "StandardOutPath",
        "StartInterval",
        "StartOnMount",
        "ThrottleInterval",
        "Umask",
        "UserName",
        "WorkingDirectory",
    ];

    fn job() -> Job {
        Job {
            label: "dev.container.apiserver".into(),
            program: "/opt/my tools/container-apiserver".into(),
            arguments: vec!["start".into(), "<a> & \"b\"".into()],
            environment: [("HOME".to_owned(), "/Users/ü".to_owned())].into(),
            log: "/Users/ü/log".into(),
            working_directory: "/".into(),
        }
    }

    fn list(services: &[String], domain: Domain) -> plist::Dictionary {
        let xml = property_list(&job(), "dev.container.apiserver.0123", services, domain).unwrap();
        plist::Value::from_reader_xml(&xml[..])
            .unwrap()
            .into_dictionary()
            .unwrap()
    }

    #[test]
    fn lists_say_what_the_job_says() {
        let list = list(&["dev.container.apiserver.0123".to_owned()], Domain::Gui(501));
        let strings = |key: &str| -> Vec<String> {
            let array = list[key].as_array().unwrap();
            array
                .iter()
                .map(|value| value.as_string().unwrap().to_owned())
                .collect()
        };
        assert_eq!(list["Label"].as_string(), Some("dev.container.apiserver.0123"));
        assert_eq!(
            strings("ProgramArguments"),
            ["/opt/my tools/container-apiserver", "start", "<a> & \"b\""]
        );
        let environment = list["EnvironmentVariables"].as_dictionary().unwrap();
        assert_eq!(environment["HOME"].as_string(), Some("/Users/ü"));
        let services = list["MachServices"].as_dictionary().unwrap();
        assert_eq!(services["dev.container.apiserver.0123"].as_boolean(), Some(true));
        assert_eq!(list["RunAtLoad"].as_boolean(), Some(true));
        assert_eq!(list["LaunchOnlyOnce"].as_boolean(), Some(true));
        assert_eq!(strings("LimitLoadToSessionType"), ["Aqua", "Background"]);
        assert_eq!(list["StandardErrorPath"].as_string(), Some("/Users/ü/log"));
        assert_eq!(list["WorkingDirectory"].as_string(), Some("/"));
        let limits = list["SoftResourceLimits"].as_dictionary().unwrap();
        assert_eq!(limits["NumberOfFiles"].as_unsigned_integer(), Some(65536));
    }

    #[test]
    fn launchd_knows_every_key() {
        for domain in [Domain::Gui(501), Domain::System] {
            for key in list(&["s".to_owned()], domain).keys() {
                assert!(DOCUMENTED.contains(&key.as_str()), "{key}");
            }
        }
        let bare = list(&[], Domain::System);
        assert!(!bare.contains_key("MachServices"));
        assert!(!bare.contains_key("LimitLoadToSessionType"));
    }

    #[test]
    fn paths_that_are_not_text_are_refused() {
        let job = Job {
            program: OsStr::from_bytes(b"/\xff").into(),
            ..job()
        };
        assert!(property_list(&job, "x", &[], Domain::System).is_err());
    }
}

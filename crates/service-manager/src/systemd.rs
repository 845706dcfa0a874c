//! The user's own systemd (`systemd --user`), where there is one.
//!
//! Only the service that everything hangs on is made a unit, so that it can start at login and be looked at
//! with `systemctl --user`. What that service starts in turn are detached processes: the unit has
//! `KillMode=process`, so they survive its end.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::error::{Error, Result};
use crate::job::Job;
use crate::launcher::Launcher;
use crate::private_file;

/// How long the manager may take to say that it is there.
const ANSWER: Duration = Duration::from_secs(2);

/// How long a unit may take to start.
const START: Duration = Duration::from_secs(30);

/// The user's systemd, as a way to start jobs.
#[derive(Clone, Debug)]
pub struct UserManager {
    /// Tells the units of different installations apart.
    instance: String,
    /// Where units live that are gone after a restart of the machine.
    volatile: PathBuf,
    /// Where units live that stay.
    lasting: PathBuf,
    at_login: bool,
}

impl UserManager {
    /// The user's systemd if it answers within two seconds, for the installation whose runtime directory
    /// this is.
    pub async fn detect(runtime_dir: &Path) -> Option<Self> {
        let volatile = match std::env::var_os("XDG_RUNTIME_DIR") {
            Some(path) => PathBuf::from(path),
            None => PathBuf::from(format!("/run/user/{}", rustix::process::geteuid().as_raw())),
        }
        .join("systemd");
        // Where this socket is missing, systemctl cannot reach a manager either.
        if !volatile.join("private").exists() {
            return None;
        }
        let configuration = std::env::var_os("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| std::env::home_dir().map(|home| home.join(".config")))?;
        let manager = Self {
            instance: container_ipc::short_hash(runtime_dir.as_os_str().as_encoded_bytes()),
            volatile: volatile.join("user"),
            lasting: configuration.join("systemd/user"),
            at_login: false,
        };
        manager.run(ANSWER, &["show", "--property=Version"]).await.ok()?;
        Some(manager)
    }

    /// The same manager, whose units also start whenever the user logs in.
    #[must_use]
    pub fn at_login(mut self, yes: bool) -> Self {
        self.at_login = yes;
        self
    }

    /// The unit of the job `label`.
    pub fn unit_name(&self, label: &str) -> String {
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || "-_.".contains(c) {
                c
            } else {
                '_'
            }
        };
        format!(
            "{}-{}.service",
            label.chars().map(plain).collect::<String>(),
            self.instance
        )
    }

    /// Removes the unit of the job `label`, which then does not start at login any more. Does not stop it.
    pub async fn forget(&self, label: &str) -> Result<()> {
        let name = self.unit_name(label);
        if self.lasting.join(&name).exists() {
            self.run(START, &["disable", &name]).await?;
        }
        for directory in [&self.volatile, &self.lasting] {
            let path = directory.join(&name);
            match std::fs::remove_file(&path) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::File { path, source });
                }
                _ => {}
            }
        }
        self.run(START, &["daemon-reload"]).await.map(drop)
    }

    async fn run(&self, limit: Duration, arguments: &[&str]) -> Result<String> {
        let failed = |output: String| Error::Systemctl {
            command: arguments.join(" "),
            output,
        };
        let mut command = Command::new("systemctl");
        command
            .arg("--user")
            .args(arguments)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        if std::env::var_os("XDG_RUNTIME_DIR").is_none()
            && let Some(runtime) = self.volatile.ancestors().nth(2)
        {
            command.env("XDG_RUNTIME_DIR", runtime);
        }
        match timeout(limit, command.output()).await {
            Ok(Ok(output)) if output.status.success() => {
                Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
            }
            Ok(Ok(output)) => Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => Err(failed(format!("no answer within {} s", limit.as_secs()))),
        }
    }
}

impl Launcher for UserManager {
    async fn launch(&self, job: &Job) -> Result<i32> {
        let name = self.unit_name(&job.label);
        let directory = if self.at_login {
            &self.lasting
        } else {
            &self.volatile
        };
        let path = directory.join(&name);
        let write = || {
            if let Some(parent) = job.log.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::create_dir_all(directory)?;
            private_file::write(&path, unit(job).as_bytes())
        };
        write().map_err(|source| Error::File {
            path: path.clone(),
            source,
        })?;
        self.run(START, &["daemon-reload"]).await?;
        if self.at_login {
            self.run(START, &["enable", &name]).await?;
        }
        self.run(START, &["start", &name]).await?;
        let pid = self
            .run(START, &["show", "--property=MainPID", "--value", &name])
            .await?;
        pid.parse()
            .ok()
            .filter(|&pid| pid > 0)
            .ok_or_else(|| Error::EndedAtOnce {
                label: job.label.clone(),
                log: job.log.clone(),
            })
    }
}

/// The text of the unit that runs `job`.
///
/// It is not restarted by systemd: a service that fails says so once, in its log, and the next command of
/// the user starts it. `KillMode=process` and `OOMPolicy=continue` keep what it has started alive.
pub fn unit(job: &Job) -> String {
    let mut command = quote(&job.program.to_string_lossy(), true);
    for argument in &job.arguments {
        command.push(' ');
        command.push_str(&quote(argument, true));
    }
    let mut text = format!(
        "[Unit]\nDescription={}\n\n[Service]\nType=exec\nExecStart={command}\nWorkingDirectory={}\n",
        path(&job.label),
        path(&job.working_directory.to_string_lossy()),
    );
    for (name, value) in &job.environment {
        text.push_str(&format!(
            "Environment={}\n",
            quote(&format!("{name}={value}"), false)
        ));
    }
    let log = path(&job.log.to_string_lossy());
    text.push_str(&format!(
        "StandardInput=null\nStandardOutput=append:{log}\nStandardError=append:{log}\nRestart=no\n\
         KillMode=process\nOOMPolicy=continue\nTasksMax=infinity\n\n[Install]\nWantedBy=default.target\n"
    ));
    text
}

/// A word of a unit file, in quotes. Commands expand `$` as well as `%`.
fn quote(word: &str, command: bool) -> String {
    let mut quoted = String::from("\"");
    for character in word.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '%' => quoted.push_str("%%"),
            '$' if command => quoted.push_str("$$"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_ascii_control() => quoted.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A path of a unit file, which takes the rest of its line as it is.
fn path(path: &str) -> String {
    path.replace('%', "%%").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Job {
        Job {
            label: "container-apiserver".into(),
            program: "/opt/my tools/container-apiserver".into(),
            arguments: vec!["start".into(), "--root=50% \"x\" $HOME\n".into()],
            environment: [
                ("CONTAINER_APP_ROOT", "/home/u/a b"),
                ("http_proxy", "http://p/%20$x"),
            ]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into(),
            log: "/home/u/log s/100%.log".into(),
            working_directory: "/home/u".into(),
        }
    }

    #[test]
    fn units_say_what_the_job_says() {
        assert_eq!(
            unit(&job()),
            r#"[Unit]
Description=container-apiserver

[Service]
Type=exec
ExecStart="/opt/my tools/container-apiserver" "start" "--root=50%% \"x\" $$HOME\n"
WorkingDirectory=/home/u
Environment="CONTAINER_APP_ROOT=/home/u/a b"
Environment="http_proxy=http://p/%%20$x"
StandardInput=null
StandardOutput=append:/home/u/log s/100%%.log
StandardError=append:/home/u/log s/100%%.log
Restart=no
KillMode=process
OOMPolicy=continue
TasksMax=infinity

[Install]
WantedBy=default.target
"#
        );
    }

    #[test]
    fn unit_names_tell_installations_apart() {
        let manager = |instance: &str| UserManager {
            instance: instance.into(),
            volatile: PathBuf::new(),
            lasting: PathBuf::new(),
            at_login: false,
        };
        assert_eq!(
            manager("a1").unit_name("container-apiserver"),
            "container-apiserver-a1.service"
        );
        assert_eq!(manager("a2").unit_name("x/y @z"), "x_y__z-a2.service");
    }
}

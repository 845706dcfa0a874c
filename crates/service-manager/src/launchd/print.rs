//! What `launchctl print` says.
//!
//! Its text is meant for people, so only what has stayed the same over the years is read: `key = value` lines, sections
//! in braces, and the table of a domain's services.

/// The state of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// Its process, while there is one.
    pub(super) pid: Option<i32>,
    /// A process of it has ended already.
    pub(super) has_ended: bool,
}

/// Reads what is printed about one job.
pub(super) fn job(text: &str) -> State {
    let mut state = State::default();
    for (depth, line) in lines(text) {
        let Some((key, value)) = line.split_once(" = ") else {
            continue;
        };
        // Sections say the same about other things.
        if depth != 1 {
            continue;
        }
        match key {
            "pid" => state.pid = value.parse().ok().filter(|&pid| pid > 0),
            "last exit code" => state.has_ended |= !value.starts_with('('),
            "last terminating signal" => state.has_ended = true,
            "state" => state.has_ended |= value == "exited",
            _ => {}
        }
    }
    state
}

/// The labels of the jobs in what is printed about a domain.
pub(super) fn labels(text: &str) -> impl Iterator<Item = &str> {
    let mut within = false;
    lines(text).filter_map(move |(depth, line)| {
        match (depth, line) {
            (1, "services = {") => within = true,
            (2, "}") => within = false,
            // Process number, status of the last end, and label.
            (2, row) if within => return row.split_whitespace().nth(2),
            _ => {}
        }
        None
    })
}

/// The lines without their indentation, and in how many sections each is.
fn lines(text: &str) -> impl Iterator<Item = (u32, &str)> {
    let mut depth = 0_u32;
    text.lines().map(move |line| {
        let line = line.trim();
        let at = depth;
        if line.ends_with('{') {
            depth += 1;
        } else if line == "}" {
            depth = depth.saturating_sub(1);
        }
        (at, line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNNING: &str = "gui/501/dev.container.apiserver = {
\tactive count = 1
\tpath = /tmp/x.plist
\ttype = LaunchAgent
\tstate = running

\tprogram = /usr/local/bin/container-apiserver
\targuments = {
\t\t/usr/local/bin/container-apiserver
\t\tstart
\t}

\tdomain = gui/501 [100006]
\truns = 1
\tpid = 4711
\timmediate reason = speculative
\tlast exit code = (never exited)

\tendpoints = {
\t\t\"dev.container.apiserver\" = {
\t\t\tport = 0x21b03
\t\t\tpid = 1
\t\t}
\t}
}
";

    #[test]
    fn a_running_job_has_a_process() {
        let state = State {
            pid: Some(4711),
            has_ended: false,
        };
        assert_eq!(job(RUNNING), state);
    }

    #[test]
    fn a_job_that_ended_says_how() {
        let ended = RUNNING
            .replace("\tpid = 4711\n", "")
            .replace("state = running", "state = not running");
        assert_eq!(job(&ended), State::default());
        for how in [
            "last exit code = 1",
            "last exit code = 78: EX_CONFIG",
            "last terminating signal = Killed: 9",
        ] {
            let state = job(&ended.replace("last exit code = (never exited)", how));
            assert_eq!(
                state,
                State {
                    pid: None,
                    has_ended: true
                },
                "{how}"
            );
        }
        assert!(job(&ended.replace("state = not running", "state = exited")).has_ended);
    }

    #[test]
    fn other_text_says_nothing() {
        for text in [
            "",
            "}}}}",
            "pid = 7",
            "x = {\n\tpid = -\n}\n",
            "x = {\n\tpid = 0\n}\n",
        ] {
            assert_eq!(job(text), State::default(), "{text}");
        }
    }

    #[test]
    fn the_services_of_a_domain_are_listed() {
        let text = "gui/501 = {
\ttype = login
\tservices = {
\t\t       0      - \tcom.apple.SafeEjectGPUAgent
\t\t    4711      - \tdev.container.apiserver.0123456789abcdef
\t\t       0     78 \tdev.container.r.web.0123456789abcdef
\t}

\tunmanaged processes = {
\t\t com.apple.xpc = {
\t\t}
\t}
\tendpoints = {
\t\t 0x1 M A com.apple.other
\t}
}
";
        let labels: Vec<&str> = labels(text).collect();
        assert_eq!(
            labels,
            [
                "com.apple.SafeEjectGPUAgent",
                "dev.container.apiserver.0123456789abcdef",
                "dev.container.r.web.0123456789abcdef"
            ]
        );
    }
}

//! One binary, whose name and first argument say what it is.

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use std::process::ExitCode;

    let mut args = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned());
    let name = args.next().unwrap_or_default();
    let args: Vec<String> = args.collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let status = match (name.as_str(), &words[..]) {
        ("vmexec", _) => vminitd::launcher::main(),
        (name, _) if name.ends_with(".cz-init") => vminitd::init::main(&args),
        (_, ["init", ..]) => vminitd::init::main(&args[1..]),
        (_, ["pause"]) => vminitd::init::pause(),
        (_, ["--link", fd]) => match fd.parse() {
            Ok(fd) => agent(Some(fd)),
            Err(_) => usage(),
        },
        // The kernel passes on what it does not understand of its own command line.
        _ => agent(None),
    };
    ExitCode::from(u8::try_from(status).unwrap_or(u8::MAX))
}

#[cfg(target_os = "linux")]
fn agent(link: Option<i32>) -> i32 {
    let Err(error) = vminitd::agent::run(link);
    eprintln!("vminitd: {error}");
    vminitd::agent::power_off();
    1
}

#[cfg(target_os = "linux")]
fn usage() -> i32 {
    eprintln!("usage: vminitd [init [-p] -- COMMAND [ARGUMENT]... | pause | --link FD]");
    64
}

/// The agent is a Linux program; elsewhere there is nothing to run.
#[cfg(not(target_os = "linux"))]
fn main() {}

//! `container-network-bridge start --id <network> …`: the helper of one network.

#[cfg(target_os = "linux")]
mod command;

#[cfg(target_os = "linux")]
fn main() -> anyhow::Result<std::process::ExitCode> {
    command::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("container-network-bridge: networks of bridges need a Linux host");
    std::process::exit(1);
}

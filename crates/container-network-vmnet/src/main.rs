//! `container-network-vmnet start --id <network> …`: the helper of one network.

#[cfg(target_os = "macos")]
mod command;

#[cfg(target_os = "macos")]
fn main() -> anyhow::Result<()> {
    command::main()
}

#[cfg(not(target_os = "macos"))]
fn main() {
    eprintln!("container-network-vmnet: networks of vmnet need macOS");
    std::process::exit(1);
}

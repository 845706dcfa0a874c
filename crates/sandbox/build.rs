//! Generates the messages, the client and the server from the `.proto` file,
//! without needing `protoc`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let proto = "proto/sandbox_context.proto";
    println!("cargo:rerun-if-changed={proto}");
    let descriptors = protox::compile([proto], ["proto"])?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}

//! Stands in for the server's helpers in its tests, over the real transport: the name under which it is started
//! says which one it is. No virtual machine and no image is involved.

mod images;
mod network;
mod runtime;

use std::path::{Path, PathBuf};

use container_config::Roots;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let program = std::env::args().next().map(PathBuf::from).unwrap_or_default();
    let name = program
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    if name == container_client::services::IMAGES_PROGRAM {
        return images::serve(&Roots::from_environment()?).await;
    }
    if name == container_client::services::NETWORK_PROGRAM {
        return network::serve(&Roots::from_environment()?, arguments.collect()).await;
    }
    let mut bundle = None;
    while let Some(argument) = arguments.next() {
        if argument == "--root" {
            bundle = arguments.next();
        }
    }
    let bundle = bundle.ok_or_else(|| anyhow::anyhow!("no bundle"))?;
    runtime::serve(Path::new(&bundle)).await
}

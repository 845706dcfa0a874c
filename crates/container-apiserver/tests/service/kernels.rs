//! Installing kernels.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;

use container_client::api::InstallKernelRequest;
use container_ipc::Error;
use container_resource::Platform;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::harness::{Installation, TestResult};

fn request(path: &str, archive: Option<&str>, digest: Option<&str>) -> InstallKernelRequest {
    InstallKernelRequest {
        kernel_file_path: path.to_owned(),
        kernel_tar_url: archive.map(str::to_owned),
        kernel_force: false,
        kernel_digest: digest.map(str::to_owned),
        system_platform: Platform::new("linux", "amd64", None),
    }
}

/// An archive with the member `boot/<name>`, and its digest.
fn archive(name: &str, content: &str) -> std::io::Result<(Vec<u8>, String)> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    builder.append_data(&mut header, format!("boot/{name}"), content.as_bytes())?;
    let bytes = zstd::encode_all(&builder.into_inner()?[..], 1)?;
    let digest = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>();
    Ok((bytes, format!("sha256:{digest}")))
}

/// A web server that answers every request with `body`; gives its address.
fn web(body: Vec<u8>) -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut [0; 4096]);
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream
                .write_all(head.as_bytes())
                .and_then(|()| stream.write_all(&body));
        }
    });
    Ok(format!("http://{address}/kernel.tar.zst"))
}

#[tokio::test]
async fn kernels_come_from_files_archives_and_the_web() -> TestResult {
    let installation = Installation::start().await?;
    let platform = Platform::new("linux", "amd64", None);
    let install = |request| installation.client.install_kernel(request, None);
    let installed = || async {
        let kernel = installation.client.default_kernel(&platform).await?;
        Ok::<_, Box<dyn std::error::Error>>(fs::read_to_string(kernel.path)?)
    };
    let error = installation.client.default_kernel(&platform).await;
    assert!(error.is_err_and(|error| error.to_string().starts_with("default kernel not found at ")));

    let file = installation.path().join("mine");
    fs::write(&file, "from a file")?;
    install(request(&file.display().to_string(), None, None)).await?;
    assert_eq!(installed().await?, "from a file");
    let again = install(request(&file.display().to_string(), None, None)).await;
    assert!(again.is_err_and(|error| error.to_string().contains("--force")));
    install(InstallKernelRequest {
        kernel_force: true,
        ..request(&file.display().to_string(), None, None)
    })
    .await?;

    let (bytes, digest) = archive("archived", "from an archive")?;
    let tar = installation.path().join("kernel.tar.zst");
    fs::write(&tar, &bytes)?;
    install(request(
        "boot/archived",
        Some(&tar.display().to_string()),
        Some(&digest),
    ))
    .await?;
    assert_eq!(installed().await?, "from an archive");

    let (bytes, digest) = archive("downloaded", "from the web")?;
    let url = web(bytes)?;
    let (progress, mut events) = mpsc::unbounded_channel();
    installation
        .client
        .install_kernel(
            request("boot/downloaded", Some(&url), Some(&digest)),
            Some(progress),
        )
        .await?;
    assert_eq!(installed().await?, "from the web");
    let mut descriptions = Vec::new();
    while let Ok(event) = events.try_recv() {
        descriptions.extend(event.description);
    }
    assert_eq!(descriptions, ["Downloading kernel"]);
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_installed_leaves_everything_as_it_was() -> TestResult {
    let installation = Installation::start().await?;
    let text = |result: Result<(), Error>| result.err().map(|error| error.to_string()).unwrap_or_default();
    let (bytes, digest) = archive("vmlinux-1", "kernel")?;
    let url = web(bytes.clone())?;
    let tar = installation.path().join("a.tar");
    fs::write(&tar, &bytes[..bytes.len() / 2])?;
    let tar = tar.display().to_string();
    let closed = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let closed = format!("https://{closed}/a.tar");
    let zero = format!("sha256:{}", "0".repeat(64));

    let cases = [
        (
            request("/nonexistent", None, None),
            "kernel not found at /nonexistent".to_owned(),
        ),
        (
            request("boot/vmlinux-1", Some(&url), None),
            format!("kernel archive digest is required for remote URL '{url}'"),
        ),
        (
            request("boot/vmlinux-1", Some(&url), Some(&zero)),
            format!("kernel archive digest mismatch: expected {zero}, got {digest}"),
        ),
        (
            request("boot/other", Some(&url), Some(&digest)),
            "has no file boot/other".to_owned(),
        ),
        (
            request("boot/vmlinux-1", Some(&tar), None),
            "failed to read ".to_owned(),
        ),
        (
            request("boot/vmlinux-1", Some(&closed), Some(&digest)),
            "`make kernel`".to_owned(),
        ),
        (
            request("boot/vmlinux-1", Some("a.tar"), None),
            "Missing protocol?".to_owned(),
        ),
        (
            InstallKernelRequest {
                system_platform: Platform::new("linux", "riscv64", None),
                ..request("/nonexistent", None, None)
            },
            "unsupported architecture riscv64".to_owned(),
        ),
    ];
    for (request, expected) in cases {
        let found = text(installation.client.install_kernel(request, None).await);
        assert!(found.contains(&expected), "{found:?} instead of {expected:?}");
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(installation.app().join("kernels"))? {
        names.push(entry?.file_name());
    }
    assert_eq!(names, ["vmlinux"]);
    Ok(())
}

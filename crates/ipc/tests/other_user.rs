//! Another user gets no service. Linux only: macOS cannot change the user of one thread.
#![cfg(target_os = "linux")]

mod common;

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use common::{Echo, SOON, Service, Text};
use container_ipc::{Client, Error, unix};
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread")]
async fn another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can become another user");
        return;
    }
    let service = Service::start();
    // Let the other user get as far as the socket.
    let run = service.endpoint.runtime_dir();
    for path in [service.dir.path(), run, &service.endpoint.socket_path()] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    let path = service.endpoint.socket_path();
    let stream = std::thread::spawn(move || {
        // SAFETY: the bare system call changes the user of this thread alone, which ends right after.
        let result = unsafe { libc::syscall(libc::SYS_setresuid, 65534, 65534, 65534) };
        assert_eq!(result, 0);
        UnixStream::connect(path).unwrap()
    })
    .join()
    .unwrap();
    stream.set_nonblocking(true).unwrap();
    let stream = tokio::net::UnixStream::from_std(stream).unwrap();
    let client = Client::over(unix::Connection::from(stream), "test.service");
    let text = Text {
        text: String::new(),
        number: 0,
    };
    let error = timeout(SOON, client.call::<Echo>(text))
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(error, Error::invalid_state("unauthorized request"));

    // And a client does not trust a directory that others can write to.
    let error = Client::connect(&service.endpoint).await.unwrap_err();
    assert_eq!(error.message, "XPC connection error: Connection invalid");
}

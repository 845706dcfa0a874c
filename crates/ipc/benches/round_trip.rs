//! What a call over Unix sockets costs: `cargo bench -p container-ipc`.

use std::time::{Duration, Instant};

use container_ipc::unix::{Listener, Transport};
use container_ipc::{Client, Endpoint, Route, Router, serve_with};
use tokio_util::sync::CancellationToken;

struct Ping;

impl Route for Ping {
    const NAME: &'static str = "ping";
    type Request = String;
    type Response = String;
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: usize| times[times.len() * share / 100].as_nanos() / 1000;
    println!(
        "{what}: median {} us, 90 % {} us, 99 % {} us",
        at(50),
        at(90),
        at(99)
    );
}

fn main() {
    let dir = std::env::temp_dir().join(format!("container-ipc-bench-{}", std::process::id()));
    let endpoint = Endpoint::new(&dir, "bench");
    let served = endpoint.clone();
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    // The service has a runtime of its own, as in another process.
    let service = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .expect("runtime");
        runtime.block_on(async {
            let router = Router::new().route::<Ping, _, _>(|r| async move { Ok(r.payload.into()) });
            serve_with(Listener::bind(&served).expect("bind"), router, stop).await;
        });
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime");
    runtime.block_on(async {
        while Client::connect_with::<Transport>(&endpoint).await.is_err() {
            tokio::task::yield_now().await;
        }
        let client = Client::connect_with::<Transport>(&endpoint)
            .await
            .expect("connect");
        let (mut calls, mut connections) = (Vec::new(), Vec::new());
        for _ in 0..2000 {
            let start = Instant::now();
            client.call::<Ping>("ping".into()).await.expect("call");
            calls.push(start.elapsed());
            let start = Instant::now();
            let fresh = Client::connect_with::<Transport>(&endpoint)
                .await
                .expect("connect");
            fresh.call::<Ping>("ping".into()).await.expect("call");
            connections.push(start.elapsed());
        }
        report("call", calls);
        report("connect and call", connections);
        let start = Instant::now();
        let large = "x".repeat(8 << 20);
        client.call::<Ping>(large).await.expect("call");
        println!("call with 8 MiB each way: {} ms", start.elapsed().as_millis());
    });
    shutdown.cancel();
    service.join().expect("service");
    let _ = std::fs::remove_dir(&dir);
}

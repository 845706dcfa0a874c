//! Moves 1 GiB through one stream, then through 16 at once, over a socket pair on one thread and on two, and checks every byte's place.

use std::time::Instant;

use container_mux::{Mux, Side, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};

const TOTAL: usize = 1 << 30;
const BLOCK: usize = 64 * 1024;

/// Writes `amount` bytes, each block marked with its number.
async fn send(mut stream: Stream, amount: usize) -> std::io::Result<()> {
    let mut block = vec![0x5a; BLOCK];
    for number in 0..amount / BLOCK {
        block[..8].copy_from_slice(&number.to_le_bytes());
        stream.write_all(&block).await?;
    }
    stream.shutdown().await
}

async fn receive(mut stream: Stream, amount: usize) -> std::io::Result<()> {
    let mut block = vec![0; BLOCK];
    for number in 0..amount / BLOCK {
        stream.read_exact(&mut block).await?;
        assert_eq!(block[..8], number.to_le_bytes(), "a block is out of place");
    }
    assert_eq!(stream.read(&mut block).await?, 0, "more came than was sent");
    Ok(())
}

fn measure(name: &str, runtime: &Runtime, streams: usize) {
    runtime.block_on(async {
        let (host, guest) = UnixStream::pair().expect("a socket pair");
        let (host, guest) = (Mux::new(host, Side::Host), Mux::new(guest, Side::Guest));
        let mut listener = guest.listen(1).expect("a listener");
        let start = Instant::now();
        let mut tasks = Vec::new();
        for _ in 0..streams {
            let (near, far) = tokio::join!(host.connect(1), listener.accept());
            tasks.push(tokio::spawn(send(near.expect("a stream"), TOTAL / streams)));
            tasks.push(tokio::spawn(receive(far.expect("a stream"), TOTAL / streams)));
        }
        for task in tasks {
            task.await.expect("a task").expect("a transfer");
        }
        let rate = TOTAL as f64 / start.elapsed().as_secs_f64() / 1e6;
        println!("{name}, {streams} streams: {rate:.0} MB/s");
    });
}

fn main() {
    let one = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let two = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    for streams in [1, 16] {
        measure("one thread", &one, streams);
        measure("two threads", &two, streams);
    }
}

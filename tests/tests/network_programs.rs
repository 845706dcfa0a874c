//! Real servers and clients in containers of Debian, over published ports and over their network.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use container_tests::{DEBIAN, System, eventually, finish};
use serde_json::Value;

/// How long a server may take to come up; emulation is slow, and a database is no small program.
const LIMIT: Duration = Duration::from_secs(90);

/// Runs a server in the background, its port published at a free one; gives the address of that.
#[track_caller]
fn serve(system: &System, name: &str, port: &str, script: &str) -> String {
    let publish = format!("0:{port}");
    system.ok([
        "run", "-d", "--name", name, "-m", "512m", "-p", &publish, DEBIAN, "sh", "-c", script,
    ]);
    system.ok(["port", name, port]).replace("0.0.0.0", "127.0.0.1")
}

/// What comes back for `question` until `enough` of it is there, or the server ends the connection.
fn ask(address: &str, question: &[u8], enough: usize) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(question)?;
    let mut answer = vec![0; enough];
    let mut got = 0;
    while got < enough {
        match stream.read(&mut answer[got..])? {
            0 => break,
            count => got += count,
        }
    }
    answer.truncate(got);
    Ok(answer)
}

/// Waits until the answer begins with `wanted`.
#[track_caller]
fn answers(address: &str, question: &[u8], wanted: &[u8]) {
    eventually(LIMIT, &format!("an answer at {address}"), || {
        ask(address, question, wanted.len()).is_ok_and(|answer| answer == wanted)
    });
}

fn address(system: &System, name: &str) -> String {
    let network = system.inspect(name)["status"]["networks"][0].clone();
    let address = network["ipv4Address"].as_str().expect("an address");
    address.split('/').next().unwrap_or_default().to_owned()
}

#[test]
fn web_servers_and_their_clients() {
    let system = System::start().with_debian();
    let nginx = serve(
        &system,
        "nginx",
        "80",
        "head -c 20000000 /dev/zero >/var/www/html/big; exec nginx -g 'daemon off;'",
    );
    let python = serve(
        &system,
        "python",
        "8000",
        "cd /etc && exec python3 -m http.server",
    );
    answers(&nginx, b"HEAD / HTTP/1.0\r\n\r\n", b"HTTP/1.1 200 OK");
    answers(&python, b"GET /hostname HTTP/1.0\r\n\r\n", b"HTTP/1.0 200 OK");

    // A hundred at once from the host.
    std::thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                let answer = ask(&nginx, b"GET / HTTP/1.0\r\n\r\n", 1 << 20).expect("an answer");
                assert!(String::from_utf8_lossy(&answer).contains("Welcome to nginx!"));
            });
        }
    });
    let big = ask(&nginx, b"GET /big HTTP/1.0\r\n\r\n", 1 << 30).expect("an answer");
    assert!(big.len() > 20_000_000, "{} bytes", big.len());

    // From a container: another one by its address, and through the host's published port.
    let hosts_port = nginx.rsplit(':').next().expect("a port");
    let script = format!(
        "curl -sS http://{}/ | grep -c Welcome; curl -sS http://host.container.internal:{hosts_port}/ | grep -c Welcome; \
         curl -sS http://{}:8000/hostname",
        address(&system, "nginx"),
        address(&system, "python"),
    );
    let printed = system.ok(["run", "--rm", "-m", "512m", DEBIAN, "sh", "-c", &script]);
    assert_eq!(printed, "2\n2\npython");
}

#[test]
fn databases() {
    let system = System::start().with_debian();
    let redis = serve(
        &system,
        "redis",
        "6379",
        "exec redis-server --bind '*' --protected-mode no --save ''",
    );
    let postgres = serve(
        &system,
        "postgres",
        "5432",
        "echo 'host all all all trust' >>/etc/postgresql/15/main/pg_hba.conf; mkdir -p /run/postgresql; \
         chown -R postgres /run/postgresql /var/lib/postgresql /etc/postgresql; exec su postgres -c '/usr/lib/postgresql/15/bin/postgres \
         -D /var/lib/postgresql/15/main -c config_file=/etc/postgresql/15/main/postgresql.conf -c listen_addresses=* -c ssl=off'",
    );
    answers(&redis, b"SET key value\r\nGET key\r\n", b"+OK\r\n$5\r\nvalue\r\n");
    // Does it speak TLS? One byte says that it does not.
    eventually(LIMIT, "postgres", || {
        ask(&postgres, &[0, 0, 0, 8, 4, 210, 22, 47], 1).is_ok_and(|answer| answer == b"N")
    });
    let script = format!(
        "redis-cli -h {} GET key; psql -h {} -U postgres -Atc 'select 6 * 7'",
        address(&system, "redis"),
        address(&system, "postgres"),
    );
    let printed = system.ok(["run", "--rm", "-m", "512m", DEBIAN, "sh", "-c", &script]);
    assert_eq!(printed, "value\n42");
}

#[test]
fn iperf3_both_ways() {
    let system = System::start().with_debian();
    let address = serve(&system, "iperf", "5201", "exec iperf3 -s");
    let (host, port) = address.rsplit_once(':').expect("an address");
    for more in [&[][..], &["-R"], &["-P", "8"]] {
        let mut rate = None;
        // Its server is deaf for a moment after each test, and the client's exit code does not tell.
        eventually(LIMIT, "iperf3", || {
            let mut command = Command::new("iperf3");
            command.args(["-c", host, "-p", port, "-t", "2", "-J"]).args(more);
            let report: Option<Value> = serde_json::from_str(&finish(command, b"").stdout).ok();
            rate = report.and_then(|report| report["end"]["sum_received"]["bits_per_second"].as_f64());
            rate.is_some()
        });
        assert!(rate.is_some_and(|rate| rate > 1e6), "{more:?}: {rate:?}");
    }
}

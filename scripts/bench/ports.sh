#!/usr/bin/env bash
# A published port against the loopback interface: bytes per second (iperf3), once
# without a virtual machine, so that nothing but the forwarder is in the way, and
# once into a container, whose emulated processors are the bound there.
#
#   ports.sh [ROUNDS]        default 5
set -euo pipefail
. "$(dirname "$0")/../common.sh"
. "$(dirname "$0")/common.sh"

rounds=${1:-5}
forward=${CARGO_TARGET_DIR:-$root/target}/release/examples/forward
(cd "$root" && cargo build --quiet --release --locked --package container-ports --example forward)

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
# rate PORT [OPTION...]: megabits per second to a server of this host
rate() {
  local port=$1 text
  shift
  text=$(timeout 30 iperf3 -c 127.0.0.1 -p "$port" -t 3 -f m "$@") || die "iperf3: $text"
  awk '$NF == "receiver" { for (i = 1; i <= NF; i++) if ($i ~ /bits\/sec/) value = int($(i - 1)) } END { print value }' <<<"$text"
}

server=$(free_port) published=$(free_port)
iperf3 -s -p "$server" >/dev/null 2>&1 &
iperf=$!
mkfifo "$work/open"
"$forward" "$published" "$server" <"$work/open" >/dev/null &
exec 9>"$work/open"
trap 'kill $iperf 2>/dev/null || true; exec 9>&-; rm -rf "$work"' EXIT
for port in "$server" "$published"; do
  for ((i = 0; i < 100; i++)); do (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break; sleep 0.05; done
done

for streams in 1 4; do
  raw=() forwarded=()
  for ((r = 0; r < rounds; r++)); do
    raw+=("$(rate "$server" -P "$streams")")
    forwarded+=("$(rate "$published" -P "$streams")")
  done
  a=$(median "${forwarded[@]}") b=$(median "${raw[@]}")
  echo "published port, $streams streams, median of $rounds: $a Mbit/s, loopback $b Mbit/s, ratio $(ratio "$a" "$b")"
done

# Into a container, through busybox's nc and cat, and back.
own_system
timed "$container" run -d --name sink -p "127.0.0.1:$(free_port):9" busybox nc -ll -p 9 -e cat
address=$("$container" port sink 9)
for ((r = 0; r < rounds; r++)); do
  echo "published port into a container, both ways: $(python3 - "$address" <<'P'
import socket, sys, threading, time
host, port = sys.argv[1].rsplit(":", 1)
total, block = 32 << 20, bytes(1 << 16)
for _ in range(100):
    s = socket.create_connection((host, int(port)))
    s.sendall(b"x")
    try:
        if s.recv(1) == b"x":
            break
    except ConnectionError:
        pass
    time.sleep(0.1)
begun = time.monotonic()
def send():
    for _ in range(total // len(block)):
        s.sendall(block)
    s.shutdown(socket.SHUT_WR)
threading.Thread(target=send).start()
got = 0
while data := s.recv(1 << 20):
    got += len(data)
assert got == total, got
print(f"{total * 8 / 1e6 / (time.monotonic() - begun):.0f} Mbit/s")
P
)"
done

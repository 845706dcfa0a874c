#!/usr/bin/env bash
# A network: bytes per second (iperf3) between two containers, and between the
# host and a container (as root; an ordinary user's host has no way to a
# container's address), and questions per second to the gateway's name server (as
# root, from the host). The containers' emulated processors are the bound of the
# former.
#
#   network.sh [ROUNDS]        default 3
set -euo pipefail
. "$(dirname "$0")/../common.sh"
. "$(dirname "$0")/common.sh"

rounds=${1:-3}
image=$root/build/debian-iperf3.tar
"$root/scripts/make-debian-image.sh" "$image" iperf3
# megabits per second that a client of iperf3 says the other side received
received() { awk '$NF == "receiver" { for (i = 1; i <= NF; i++) if ($i ~ /bits\/sec/) value = int($(i - 1)) } END { print value }'; }

own_system
timed "$container" image load -i "$image"
timed "$container" run -d --name server docker.io/library/debian:bench iperf3 -s
address=$("$container" inspect server | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["status"]["networks"][0]["ipv4Address"].split("/")[0])')
gateway=${address%.*}.1

report() { # report WHAT COMMAND...: the median of what a client measures
  local what=$1 values=() text; shift
  for ((r = 0; r < rounds; r++)); do
    text=$(timeout 120 "$@") || die "$what: $text"
    values+=("$(received <<<"$text")")
  done
  echo "$what, median of $rounds: $(median "${values[@]}") Mbit/s"
}
client=(iperf3 -t 5 -f m -c)
report "container to container" "$container" run --rm docker.io/library/debian:bench "${client[@]}" server
[ "$(id -u)" = 0 ] || exit 0
report "host to container" "${client[@]}" "$address"
report "container to host" "${client[@]}" "$address" -R

python3 - "$gateway" <<'P'
import selectors, socket, struct, sys, time
question = struct.pack(">6H", 1, 0x100, 1, 0, 0, 0) + b"\x06server\0" + struct.pack(">2H", 1, 1)
sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(16)]
waiting = selectors.DefaultSelector()
for s in sockets:
    s.connect((sys.argv[1], 53))
    waiting.register(s, selectors.EVENT_READ)
    s.send(question)
answers, start = 0, time.monotonic()
while time.monotonic() < start + 3:
    for key, _ in waiting.select(1):
        reply = key.fileobj.recv(512)
        assert reply[3] & 15 == 0 and reply[7] == 1, reply
        answers += 1
        key.fileobj.send(question)
print(f"questions about a container, from the host, 16 at a time: {answers / 3:.0f} per second")
P

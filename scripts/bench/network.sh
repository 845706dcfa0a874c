#!/usr/bin/env bash
# A network: bytes per second (iperf3) between two containers, and between the
# host and a container (as root; an ordinary user's host has no way to a
# container's address), and questions per second to the gateway's name server (as
# root, from the host). The containers' emulated processors are the bound of the
# former.
#
# As root also the same through podman's network of an ordinary user, whose
# containers have no virtual machine, where podman, netavark and slirp4netns are
# installed; where podman cannot run, through pasta alone, of which such a network
# is made in newer versions.
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
  ours[$what]=$(median "${values[@]}")
  echo "$what, median of $rounds: ${ours[$what]} Mbit/s"
}
declare -A ours
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

# The programs of somebody else, each in $HOME of a user that no other process has,
# and in a process namespace, so that all of them end. crun wants one kind of control
# groups: where the host has both, there is the newer one alone.
aside() { # aside FUNCTION ARGUMENT...: runs it so; it finds the image at standard input
  local user=65533 home=$work/aside
  chmod 711 "$work"
  install -d -m 700 -o "$user" -g "$user" "$home" "$home/run"
  timeout 600 unshare --mount --pid --fork --kill-child --mount-proc bash -c '
    [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ] ||
      { umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup; }
    exec setpriv --reuid "$1" --regid "$1" --clear-groups env -i PATH="$PATH" HOME="$2" XDG_RUNTIME_DIR="$2/run" \
      bash -c "cd; $3" - "${@:4}"' - "$user" "$home" "$(declare -f received measure podmans pastas); $1 \"\$@\"" "${@:2}"
}
measure() { # measure WHAT COMMAND...: a line WHAT=Mbit/s of every round
  local what=$1 text; shift
  for ((r = 0; r < rounds; r++)); do
    text=$(timeout 60 "$@" 2>&1) || { echo "$text" >&2; return 1; }
    echo "$what=$(received <<<"$text")"
  done
}
podmans() {
  set -e
  rounds=$1
  podman=(podman --root "$HOME/store" --runroot "$HOME/run/store" --storage-driver vfs \
    --storage-opt vfs.ignore_chown_errors=true --cgroup-manager cgroupfs --events-backend file --network-backend netavark)
  run=(run --cgroups disabled --network)
  image=docker.io/library/debian:bench client=("$image" iperf3 -t 5 -f m -c)
  "${podman[@]}" load -q >/dev/null
  "${podman[@]}" network create bench >/dev/null
  "${podman[@]}" "${run[@]}" bench -d --name server "$image" iperf3 -s >/dev/null
  measure "container to container" "${podman[@]}" "${run[@]}" bench --rm "${client[@]}" server
  iperf3 -s -B 127.0.0.1 -p 5299 >/dev/null &
  host=(slirp4netns:allow_host_loopback=true --rm "${client[@]}" 10.0.2.2 -p 5299)
  measure "host to container" "${podman[@]}" "${run[@]}" "${host[@]}" -R
  measure "container to host" "${podman[@]}" "${run[@]}" "${host[@]}"
}
pastas() {
  rounds=$1
  iperf3 -s -B 127.0.0.1 -p 5299 >/dev/null &
  host=(pasta --config-net --quiet -a 10.0.2.15 -n 24 -g 10.0.2.2 -- iperf3 -t 5 -f m -c 10.0.2.2 -p 5299)
  measure "host to container" "${host[@]}" -R && measure "container to host" "${host[@]}"
}
compare() { # compare NAME: with the lines in $work/theirs
  local what values
  for what in "container to container" "host to container" "container to host"; do
    mapfile -t values < <(sed -n "s/^$what=//p" "$work/theirs")
    [ ${#values[@]} -gt 0 ] || continue
    echo "$what, $1, median of $rounds: $(median "${values[@]}") Mbit/s, ratio $(ratio "${ours[$what]}" "$(median "${values[@]}")")"
  done
}
if aside podmans "$rounds" <"$image" >"$work/theirs" 2>"$work/why"; then compare "podman's for an ordinary user"
else
  echo "podman does not run here for an ordinary user: $(tail -n 1 "$work/why")"
  if aside pastas "$rounds" </dev/null >"$work/theirs" 2>"$work/why"; then compare "pasta alone"
  else echo "nor does pasta: $(tail -n 1 "$work/why")"; fi
fi

#!/usr/bin/env bash
# A container that writes as fast as it can, alone, and while `container logs -f`
# follows: how fast, and whether the follower got every byte.
#
# Then the same without the machine, which is slower than any log when it is
# emulated: what the runtime helper writes a log with writes 100 MB/s into that of a
# container, while `container logs -f` follows; every byte is compared.
#
#   logs.sh [MEGABYTES [MEGABYTES WITHOUT A MACHINE]]     default 50 and 1000
set -euo pipefail
. "$(dirname "$0")/../common.sh"
. "$(dirname "$0")/common.sh"

megabytes=${1:-50} alone=${2:-1000}
log_rate=${container%/*}/examples/log-rate
(cd "$root" && cargo build -q --release --locked -p container-client --example log-rate)
own_system
rate() { awk -v mb="$megabytes" -v us="$1" 'BEGIN { printf "%.1f MB/s", mb * 1.048576 / us * 1000000 }'; }
# Lines of 128 bytes. It waits for the file, so that the follower is there from the first byte on.
line=$(printf 'x%.0s' {1..127})
writes="until [ -e /go ]; do sleep 0.05; done; yes $line | head -c $((megabytes << 20))"
for what in alone followed; do
  timed "$container" run -d --name writer --progress none busybox sh -c "$writes"
  if [ $what = followed ]; then
    "$container" logs -f writer >"$work/followed" </dev/null & follower=$!
    sleep 1
  fi
  from=$(now)
  timed "$container" exec writer touch /go
  timed "$container" wait writer
  written=$(($(now) - from))
  if [ $what = followed ]; then
    # It ends with the container, not with the process.
    for ((i = 0; i < 600; i++)); do
      [ "$(stat -c %s "$work/followed")" -lt $((megabytes << 20)) ] || break
      sleep 0.05
    done
    behind=$(($(now) - from - written))
    timed "$container" delete writer
    wait "$follower"
    got=$(stat -c %s "$work/followed")
    [ "$got" -eq $((megabytes << 20)) ] || die "the follower has $got bytes"
    echo "written while followed: $(rate "$written"); the follower has every byte $(ms "$behind") later"
  else
    echo "written alone: $(rate "$written")"
    timed "$container" delete writer
  fi
done

# Nobody else writes to the log of a container that does not run.
timed "$container" run --name log busybox true
log=$HOME/.local/share/container/containers/log/stdio
(
  # Its end ends the follower, too.
  "$container" logs -f log </dev/null | timeout $((alone / 5 + 60)) "$log_rate" check "$alone"
) >"$work/checked" 2>&1 & follower=$!
sleep 1
"$log_rate" write "$log" "$alone" 100
timed "$container" delete log
wait "$follower" || { cat "$work/checked" >&2; die "the follower did not get what was written"; }
cat "$work/checked"

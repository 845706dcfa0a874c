#!/usr/bin/env bash
# Processor time that watching containers takes: of the programs on the host, and
# of the virtual machines, while `container stats --stream` runs, against the same
# time without it. All containers idle.
#
#   stats.sh [CONTAINERS [SECONDS]]     default 20 and 30
set -euo pipefail
. "$(dirname "$0")/../common.sh"
. "$(dirname "$0")/common.sh"

containers=${1:-20} seconds=${2:-30}
own_system
for ((i = 0; i < containers; i++)); do
  timed "$container" run -d --name "idle-$i" --memory 256m --progress none busybox sleep 100000
done
# Until what follows a boot is over.
sleep 10

# used PATTERN prints the processor time that programs of that name have used, in
# microseconds: those of this system only, which have its home directory in their
# environment or below it in their open files.
used() {
  local process sum=0 ticks
  for process in /proc/[0-9]*; do
    [[ $(readlink "$process/exe" 2>/dev/null) == */$1* ]] || continue
    if tr '\0' '\n' < "$process/environ" 2>/dev/null | grep -qxF "HOME=$HOME" ||
      find "$process/fd" -lname "$HOME/*" 2>/dev/null | grep -q .; then
      ticks=$(awk '{ sub(/.*\) /, ""); print $12 + $13 }' "$process/stat")
      sum=$((sum + ticks))
    fi
  done
  echo $((sum * 1000000 / $(getconf CLK_TCK)))
}
share() { awk -v us="$1" -v s="$seconds" 'BEGIN { printf "%.2f %%", us / s / 10000 }'; }

for what in without with; do
  if [ $what = with ]; then
    "$container" stats --stream --format json >"$work/stats" 2>&1 </dev/null & watcher=$!
    sleep 4
  fi
  host=$(used container) guests=$(used qemu-system)
  sleep "$seconds"
  host=$(($(used container) - host)) guests=$(($(used qemu-system) - guests))
  echo "$containers idle containers, $what stats, of one processor: host $(share "$host"), virtual machines $(share "$guests")"
done
samples=$(wc -l <"$work/stats")
kill "$watcher"
wait "$watcher" 2>/dev/null || true
echo "samples in the time: $samples"

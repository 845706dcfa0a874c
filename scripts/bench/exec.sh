#!/usr/bin/env bash
# `container exec` in an idle container, against what starting the process costs in
# the guest itself (a shell's loop, so that nothing but fork and exec is in it).
#
#   exec.sh [ROUNDS]     default 20
set -euo pipefail
. "$(dirname "$0")/../common.sh"
. "$(dirname "$0")/common.sh"

rounds=${1:-20} times=() loops=100
own_system
timed "$container" run -d --name idle --progress none busybox sleep 100000
timed "$container" exec idle true
for ((i = 0; i < rounds; i++)); do timed "$container" exec idle true; times+=("$took"); done
timed "$container" exec idle sh -c :
shell=$took
timed "$container" exec idle sh -c "i=0; while [ \$i -lt $loops ]; do /bin/true; i=\$((i+1)); done"
process=$(((took - shell) / loops))
exec=$(median "${times[@]}")
echo "exec true, median of $rounds: $(ms "$exec"), of which the process itself $(ms "$process")"

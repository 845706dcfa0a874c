#!/usr/bin/env bash
# A cold `container run --rm busybox true` against the floor (floor.sh),
# alternating, so that what else the machine does falls on both.
#
#   cold-start.sh [ROUNDS]     default 10
set -euo pipefail
. "$(dirname "$0")/../common.sh"
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/floor.sh"

rounds=${1:-10}
own_system
floor_prepare
timed "$container" run --rm --progress none busybox true
timed floor_boot
floors=() ours=()
for ((i = 0; i < rounds; i++)); do
  timed floor_boot; floors+=("$took")
  timed "$container" run --rm --progress none busybox true; ours+=("$took")
done
floor=$(median "${floors[@]}") our=$(median "${ours[@]}")
echo "cold start, median of $rounds: floor $(ms "$floor"), container run --rm $(ms "$our"), ratio $(ratio "$our" "$floor")"

#!/usr/bin/env bash
# `container list -a` with many stopped containers, against none.
#
#   list.sh [COUNT [ROUNDS]]     default 500 and 50
set -euo pipefail
. "$(dirname "$0")/../common.sh"
. "$(dirname "$0")/common.sh"

count=${1:-500} rounds=${2:-50}
own_system
for containers in 0 "$count"; do
  for ((i = 0; i < containers; i++)); do timed "$container" create busybox; done
  for command in "list -a" "list -a --format json"; do
    times=()
    # shellcheck disable=SC2086 # several words
    for ((i = 0; i < rounds; i++)); do timed "$container" $command; times+=("$took"); done
    echo "container $command with $containers containers, median of $rounds: $(ms "$(median "${times[@]}")")"
  done
done

#!/usr/bin/env bash
# Four starts at once against two: on two processors nothing should take longer
# than the processors make it, and a queue anywhere shows.
#
#   parallel.sh [ROUNDS]     default 5
set -euo pipefail
. "$(dirname "$0")/../common.sh"
. "$(dirname "$0")/common.sh"

at_once() { # at_once N
  local i pids=()
  for ((i = 0; i < $1; i++)); do "$container" run --rm --progress none busybox true & pids+=($!); done
  for i in "${pids[@]}"; do wait "$i" || return 1; done
}

rounds=${1:-5} two=() four=()
own_system
timed at_once 1
for ((r = 0; r < rounds; r++)); do
  timed at_once 2; two+=("$took")
  timed at_once 4; four+=("$took")
done
two=$(median "${two[@]}") four=$(median "${four[@]}")
echo "parallel starts, median of $rounds: 2 in $(ms "$two"), 4 in $(ms "$four"), ratio $(ratio "$four" "$two")"

#!/usr/bin/env bash
# Four starts at once against two: on two processors nothing should take longer
# than the processors make it, and a queue anywhere shows. How much longer that
# is without anything of ours, the floor (floor.sh) tells, alternating.
#
#   parallel.sh [ROUNDS]     default 5
set -euo pipefail
. "$(dirname "$0")/../common.sh"
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/floor.sh"

at_once() { # at_once N COMMAND...
  local i n=$1 pids=()
  shift
  for ((i = 0; i < n; i++)); do "$@" & pids+=($!); done
  for i in "${pids[@]}"; do wait "$i" || return 1; done
}
run() { "$container" run --rm --progress none busybox true; }

rounds=${1:-5}
own_system
floor_prepare
timed run
timed floor_boot
declare -A times
for ((r = 0; r < rounds; r++)); do
  for what in run floor_boot; do
    for n in 2 4; do timed at_once "$n" "$what"; times[$what$n]+=" $took"; done
  done
done
report() { # report WHAT NAME
  local two four
  # shellcheck disable=SC2086 # one argument per time
  two=$(median ${times[${1}2]}) four=$(median ${times[${1}4]})
  echo "parallel $2, median of $rounds: 2 in $(ms "$two"), 4 in $(ms "$four"), ratio $(ratio "$four" "$two")"
}
report run "container run --rm"
report floor_boot "floor"

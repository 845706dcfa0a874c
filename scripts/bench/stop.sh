#!/usr/bin/env bash
# `container stop` of a container whose process ends by the signal at once: all of
# the time is ours.
#
#   stop.sh [ROUNDS]     default 10
set -euo pipefail
. "$(dirname "$0")/../common.sh"
. "$(dirname "$0")/common.sh"

rounds=${1:-10} times=()
own_system
# The shell waits for nothing that the signal does not end.
obeys='trap "exit 0" TERM; echo ready; sleep 1000 & wait'
for ((i = 0; i < rounds; i++)); do
  timed "$container" run -d --name obeys --progress none busybox sh -c "$obeys"
  until "$container" logs obeys | grep -q ready; do sleep 0.05; done
  timed "$container" stop obeys; times+=("$took")
  timed "$container" delete obeys
done
echo "stop, median of $rounds: $(ms "$(median "${times[@]}")")"

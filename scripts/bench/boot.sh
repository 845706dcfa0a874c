#!/usr/bin/env bash
# The guest kernel alone (floor.sh): how often it boots, and how long that takes.
#
#   boot.sh [ROUNDS]     default 20
set -euo pipefail
. "$(dirname "$0")/../common.sh"
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/floor.sh"

rounds=${1:-20} booted=0 times=()
. "$root/scripts/test-env.sh"
floor_prepare
timed floor_boot
for ((i = 0; i < rounds; i++)); do
  from=$(now)
  if floor_boot 2>"$work/out"; then booted=$((booted + 1)); times+=($(($(now) - from))); fi
done
echo "bare boot: $booted of $rounds, median $(ms "$(median "${times[@]}")"), $(stat -c %s "$CONTAINER_TEST_KERNEL") bytes of kernel"

#!/usr/bin/env bash
# What the command line itself costs: `container --version` (no service asked)
# and `container list` (one call).
#
#   cli.sh [ROUNDS]     default 50
set -euo pipefail
. "$(dirname "$0")/../common.sh"
. "$(dirname "$0")/common.sh"

rounds=${1:-50}
own_system
for arguments in --version list; do
  times=()
  timed "$container" $arguments
  for ((i = 0; i < rounds; i++)); do timed "$container" $arguments; times+=("$took"); done
  echo "container $arguments, median of $rounds: $(ms "$(median "${times[@]}")")"
done

#!/usr/bin/env bash
# Many `container run --rm`, several at a time, while processes of every kind are
# killed at random moments: the command itself, the API server, the image service,
# a container's helper, its virtual machine, its share server, the network's helper
# and the process that holds the network's namespace. What a kill did not hit has
# to succeed, nothing may hang, and nothing may be left. See soak.py.
#
#   soak.sh [--runs 1000] [--at-once 8] [--seed N] [--kill-every 5] [--kinds a,b] [--limit 120]
set -euo pipefail
. "$(dirname "$0")/../common.sh"
. "$(dirname "$0")/common.sh"

own_system
evidence=${SOAK_EVIDENCE:-${TMPDIR:-/tmp}/soak-$$}
python3 "$root/scripts/bench/soak.py" --container "$container" --evidence "$evidence" "$@"

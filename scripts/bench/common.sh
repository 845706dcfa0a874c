# Sourced by the benches (bash), after ../common.sh.

container=${CONTAINER:-${CARGO_TARGET_DIR:-$root/target}/release/container}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# microseconds since the epoch
now() { echo "${EPOCHREALTIME/[.,]/}"; }

# timed COMMAND...: runs it, and puts its wall time in microseconds into `took`.
# A command that fails ends the bench with what it printed.
timed() {
  local from; from=$(now)
  "$@" >"$work/out" 2>&1 </dev/null || { cat "$work/out" >&2; die "failed: $*"; }
  took=$(($(now) - from))
}

# median VALUE...
median() { printf '%s\n' "$@" | sort -n | awk '{ v[NR] = $1 } END { print int((v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2) }'; }

# ms MICROSECONDS and ratio A B, as text
ms() { awk -v us="$1" 'BEGIN { printf "%.1f ms", us / 1000 }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

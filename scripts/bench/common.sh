# Sourced by the benches (bash), after ../common.sh.

container=${CONTAINER:-${CARGO_TARGET_DIR:-$root/target}/release/container}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ -x "$container" ] || die "$container is not there: run \`make release\`"

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

# own_system starts services in a scratch home directory, with kernel, init image
# and busybox, and has them stopped when the bench ends: nothing depends on what
# the user runs and keeps, nor disturbs it.
own_system() {
  . "$root/scripts/test-env.sh"
  export HOME=$work/home
  unset XDG_DATA_HOME XDG_STATE_HOME XDG_CONFIG_HOME XDG_CACHE_HOME XDG_RUNTIME_DIR
  mkdir "$HOME"
  trap '"$container" system stop >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
  timed "$container" system start --disable-kernel-install
  timed "$container" system kernel set --binary "$CONTAINER_TEST_KERNEL"
  timed "$container" image load -i "$CONTAINER_TEST_INIT_IMAGE"
  timed "$container" image load -i "$CONTAINER_TEST_BUSYBOX"
}

# service_process NAME prints the process id of one of own_system's services.
service_process() {
  local process
  for process in /proc/[0-9]*; do
    if [ "$(basename "$(readlink "$process/exe" 2>/dev/null)")" = "$1" ] &&
      tr '\0' '\n' < "$process/environ" 2>/dev/null | grep -qxF "HOME=$HOME"; then
      basename "$process"
      return
    fi
  done
  die "no process of $1"
}

# memory FIELD PROCESS: a field of /proc/PROCESS/status, in MB
memory() { awk -v field="$1:" '$1 == field { printf "%.1f MB", $2 * 1024 / 1000000 }' "/proc/$2/status"; }

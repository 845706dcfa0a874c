#!/usr/bin/env bash
# Files in a container: on its own disk, in a volume and in a directory of the
# host, against the same directory in a podman container, or on the host itself.
#
#   storage.sh [MEGABYTES [FILES]]     default 128 and 2000
#
# Writing ends when everything is on the host's disk; reading is from the guest's
# or the host's cache. The file operations are making, looking at and removing.
set -euo pipefail
. "$(dirname "$0")/../common.sh"
. "$(dirname "$0")/common.sh"

megabytes=${1:-128} files=${2:-2000} rounds=3
own_system
mkdir "$work/shared"

# Each prints microseconds, by the clock of the machine that it runs on.
read -r -d '' load <<LOAD || true
now() { cut -d' ' -f1 /proc/uptime | tr -d .; }
report() { echo "\$1 \$(((\$(now) - \$2) * 10000))"; }
cd \$1
t=\$(now); dd if=/dev/zero of=big bs=1M count=$megabytes conv=fsync 2>/dev/null; report write \$t
t=\$(now); dd if=big of=/dev/null bs=1M 2>/dev/null; report read \$t
t=\$(now); mkdir many; i=0; while [ \$i -lt $files ]; do : > many/\$i; i=\$((i+1)); done; report make \$t
t=\$(now); ls -l many > /dev/null; report look \$t
t=\$(now); rm -r many big; report remove \$t
LOAD

declare -A results
measure() { # measure NAME DIRECTORY COMMAND...: the load, several times
  local name=$1 directory=$2 round what took
  shift 2
  for ((round = 0; round < rounds; round++)); do
    "$@" sh -c "$load" load "$directory" >"$work/out" || die "failed: $*"
    while read -r what took; do results[$name-$what]+="$took "; done <"$work/out"
  done
}

# What a container without a virtual machine does; on hosts where podman cannot
# run any, what the same programs do without a container.
host=(busybox) baseline=host directory=$work/shared
if command -v podman >/dev/null && podman --root "$work/podman" load -q -i "$CONTAINER_TEST_BUSYBOX" >/dev/null 2>&1; then
  trap '"$container" system stop >/dev/null 2>&1 || true; podman --root "$work/podman" system reset -f >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
  image=$(podman --root "$work/podman" images -q | head -1)
  podman=(podman --root "$work/podman" run --rm --network none --cgroups disabled -v "$work/shared:/data" "$image")
  if "${podman[@]}" true 2>/dev/null; then host=("${podman[@]}") baseline=podman directory=/data; fi
fi
measure "$baseline" "$directory" "${host[@]}"
run=("$container" run --rm --progress none)
measure disk /root "${run[@]}" busybox
measure volume /data "${run[@]}" -v bench:/data busybox
measure bind /data "${run[@]}" -v "$work/shared:/data" busybox

for what in write read make look remove; do
  for name in disk volume bind "$baseline"; do
    # shellcheck disable=SC2086
    took=$(median ${results[$name-$what]})
    case $what in
      write | read) echo "$what $megabytes MB, $name: $(awk -v us="$took" -v mb="$megabytes" 'BEGIN { printf "%.0f MB/s", mb * 1e6 / (us > 0 ? us : 1) }')" ;;
      *) echo "$what $files files, $name: $(ms "$took")" ;;
    esac
  done
done

#!/usr/bin/env bash
# Files in a container: on its own disk, in a volume and in a directory of the
# host, against the same directory in a podman container, or on the host itself
# where podman can run none.
#
#   storage.sh [MEGABYTES [FILES]]     default 64 and 2000
#
# fio writes and reads in order and at random, and with a sync after each block;
# reading is from the host's cache, the guest's is dropped before. Then what
# builds do: a tree is unpacked, committed to git and looked at (git status), all
# of its files are opened and read, and removed. Prints a table, with the ratio
# to the baseline: more is better in the first five rows, less in the others.
set -euo pipefail
. "$(dirname "$0")/../common.sh"
. "$(dirname "$0")/common.sh"

megabytes=${1:-64} files=${2:-2000}
export CONTAINER_TEST_PROGRAMS=${CONTAINER_TEST_PROGRAMS:-$root/build/debian-programs.tar}
[ -e "$CONTAINER_TEST_PROGRAMS" ] || die "$CONTAINER_TEST_PROGRAMS is not there: scripts/test.sh makes it (it needs git and fio in it)"
own_system
timed "$container" image load -i "$CONTAINER_TEST_PROGRAMS"
image=debian:bench
mkdir "$work/shared"

# Each line is a name and a number: MB/s or operations per second, then milliseconds.
read -r -d '' load <<LOAD || true
set -e
cd \$1
export HOME=/tmp GIT_CONFIG_NOSYSTEM=1
bench() { # bench NAME FIELD DIVISOR OPTION...: a field of fio's terse output
  name=\$1 field=\$2 divisor=\$3
  shift 3
  fio --name=bench --filename=bench.data --thread --ioengine=psync --output-format=terse --terse-version=3 "\$@" |
    awk -F ';' -v name="\$name" -v field="\$field" -v divisor="\$divisor" '{ printf "%s %d\n", name, \$field / divisor }'
}
bench write 48 1000 --rw=write --bs=1M --size=${megabytes}m --end_fsync=1
bench read 7 1000 --rw=read --bs=1M --size=${megabytes}m
bench random-write 49 1 --rw=randwrite --bs=4k --size=${megabytes}m --io_size=$((megabytes / 8))m --end_fsync=1
bench random-read 8 1 --rw=randread --bs=4k --size=${megabytes}m --io_size=$((megabytes / 8))m
bench sync 49 1 --rw=write --bs=4k --size=512k --fsync=1
rm bench.data
now() { cut -d' ' -f1 /proc/uptime | tr -d .; }
report() { echo "\$1 \$(((\$(now) - \$2) * 10))"; }
mkdir -p \$2
i=0; while [ \$i -lt $files ]; do d=\$2/tree/\$((i % 50)); [ \$i -ge 50 ] || mkdir -p \$d; echo \$i > \$d/\$i; i=\$((i+1)); done
tar -C \$2 -cf \$2/tree.tar tree
t=\$(now); tar -xf \$2/tree.tar; report unpack \$t
cd tree; git init -q .; git config user.name t; git config user.email t@example.com
t=\$(now); git add -A; git commit -qm all; report commit \$t
t=\$(now); git status --porcelain; report status \$t
t=\$(now); find . -type f -exec cat {} + >/dev/null; report open \$t
cd ..
t=\$(now); rm -r tree; report remove \$t
rm -r \$2
LOAD
order=(write read random-write random-read sync unpack commit status open remove)
declare -A unit=([write]=MB/s [read]=MB/s [random-write]=/s [random-read]=/s [sync]=/s
  [unpack]=ms [commit]=ms [status]=ms [open]=ms [remove]=ms)

declare -A results
measure() { # measure NAME DIRECTORY COMMAND...
  local name=$1 directory=$2 what value
  shift 2
  "$@" sh -c "$load" load "$directory" /tmp/bench-tree >"$work/out" || die "failed: $*"
  while read -r what value; do results[$name-$what]=$value; done <"$work/out"
}

host=() baseline=host directory=$work/shared
if command -v podman >/dev/null && podman --root "$work/podman" load -q -i "$CONTAINER_TEST_PROGRAMS" >/dev/null 2>&1; then
  trap '"$container" system stop >/dev/null 2>&1 || true; podman --root "$work/podman" system reset -f >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
  id=$(podman --root "$work/podman" images -q | head -1)
  podman=(podman --root "$work/podman" run --rm --network none --cgroups disabled -v "$work/shared:/data" "$id")
  if "${podman[@]}" true 2>/dev/null; then host=("${podman[@]}") baseline=podman directory=/data; fi
fi
[ "$baseline" = podman ] || apt_install fio git
measure "$baseline" "$directory" "${host[@]}"
run=("$container" run --rm --progress none -m 1g)
measure disk /root "${run[@]}" "$image"
measure volume /data "${run[@]}" -v bench:/data "$image"
measure bind /data "${run[@]}" -v "$work/shared:/data" "$image"

printf '%-14s %-5s %10s %18s %18s %18s\n' "" "" "$baseline" disk volume bind
for what in "${order[@]}"; do
  base=${results[$baseline-$what]}
  line=$(printf '%-14s %-5s %10s' "$what" "${unit[$what]}" "$base")
  for name in disk volume bind; do
    value=${results[$name-$what]}
    line+=$(printf ' %10s (%5s)' "$value" "$(ratio "$value" "$((base > 0 ? base : 1))")")
  done
  echo "$line"
done

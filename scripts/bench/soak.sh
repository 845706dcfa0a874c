#!/usr/bin/env bash
# Many `container run --rm`, of which every fifth loses one of its processes to a
# SIGKILL at a random moment: the command itself, the runtime helper, the virtual
# machine, or the API server, which is started again. A run that was left alone
# has to succeed. Then nothing may be left: no container, process, file, socket or
# mount, and no service may have more files open than before.
#
#   soak.sh [COUNT]     default 1000
set -euo pipefail
. "$(dirname "$0")/../common.sh"
. "$(dirname "$0")/common.sh"

count=${1:-1000} killed=0
own_system
app=$HOME/.local/share/container

# ours NAME prints the process ids of this system's programs of that name. The
# virtual machines have no environment: they are known by the files they have open.
ours() {
  local process
  for process in /proc/[0-9]*; do
    [[ $(readlink "$process/exe" 2>/dev/null) == */$1* ]] || continue
    if tr '\0' '\n' < "$process/environ" 2>/dev/null | grep -qxF "HOME=$HOME" ||
      find "$process/fd" -lname "$HOME/*" 2>/dev/null | grep -q .; then
      basename "$process"
    fi
  done
}
one() { ours "$1" | shuf -n 1; }

# left prints everything that is there, one thing a line.
left() {
  "$container" list -a -q | sed 's/^/container /'
  local name
  for name in container-runtime-linux container-share-fs qemu-system; do
    ours "$name" | sed "s/^/process $name /"
  done
  find "$app/containers" -mindepth 1 -maxdepth 1 -printf 'file containers/%f\n' 2>/dev/null || true
  grep -F " $HOME" /proc/mounts | sed 's/^/mount /' || true
}
# descriptors NAME prints how many a service has open.
descriptors() { find "/proc/$(service_process "$1")/fd" -type l | wc -l; }

run() { "$container" run --rm --progress none busybox sh -c 'sleep 0.1' >"$work/run.out" 2>&1 </dev/null; }

timed run
[ -z "$(left)" ] || die "left before the start: $(left)"
images_before=$(descriptors container-core-images)
api_before=$(descriptors container-apiserver)
memory_before=$(memory VmRSS "$(service_process container-apiserver)")
began=$(now)
for ((i = 1; i <= count; i++)); do
  if ((i % 5)); then
    run || { cat "$work/run.out" >&2; die "run $i failed"; }
    continue
  fi
  run & command=$!
  sleep "0.$((RANDOM % 10))$((RANDOM % 10))"
  ((RANDOM % 2)) && sleep 0.7
  case $((RANDOM % 10)) in
    0) target=$(one container-apiserver) ;;
    [1-3]) target=$(one container-runtime-linux) ;;
    [4-6]) target=$(one qemu-system) ;;
    *) target=$(pgrep -P "$command" -x container || true) ;;
  esac
  if [ -n "$target" ] && kill -KILL $target 2>/dev/null; then killed=$((killed + 1)); fi
  wait "$command" || true
  timed "$container" system start --disable-kernel-install
done
took=$(($(now) - began))

# What a killed command left runs to its end by itself; a container that was booted
# and not started is given up after a minute.
from=$(now)
while [ -n "$(left)" ] && (($(now) - from < 120000000)); do sleep 0.5; done
things=$(left)
echo "soak: $count runs, $killed processes killed, $(ms $((took / count))) a run"
echo "left: ${things:-nothing}"
echo "descriptors of the image service: $images_before before, $(descriptors container-core-images) after"
echo "descriptors of the API server: $api_before before, $(descriptors container-apiserver) after"
echo "memory of the API server: $memory_before before, $(memory VmRSS "$(service_process container-apiserver)") after"
[ -z "$things" ] || die "something is left"

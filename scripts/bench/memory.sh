#!/usr/bin/env bash
# Resident memory of the programs on the host while one container idles. The
# virtual machine itself is not in it: that is the container's own memory.
set -euo pipefail
. "$(dirname "$0")/../common.sh"
. "$(dirname "$0")/common.sh"

own_system
timed "$container" run -d --name idle --progress none busybox sleep 100000
for service in container-apiserver container-core-images container-runtime-linux; do
  process=$(service_process "$service")
  echo "memory of $service: $(memory VmRSS "$process") now, $(memory VmHWM "$process") at most"
done

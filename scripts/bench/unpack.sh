#!/usr/bin/env bash
# From an archive to a disk that boots: `container image load` of a Debian image
# against skopeo and umoci, which make a directory tree of the same archive. Also
# says what the image service's memory was at most.
#
#   unpack.sh [ROUNDS [ARCHIVE]]     default 3, and an image made by mmdebstrap
set -euo pipefail
. "$(dirname "$0")/../common.sh"
. "$(dirname "$0")/common.sh"
. "$root/scripts/oci.sh"

rounds=${1:-3} archive=${2:-$root/build/debian.tar}
for program in skopeo umoci mmdebstrap; do
  command -v "$program" >/dev/null || die "needs $program (scripts/setup-debian.sh --tests)"
done
if [ ! -e "$archive" ]; then
  say "making $archive"
  mmdebstrap --quiet --variant=minbase "$(. /etc/os-release; echo "$VERSION_CODENAME")" "$work/debian"
  rm -rf "$work/debian"/dev/*
  oci_archive "$work/debian" docker.io/library/debian:bench "$(dpkg --print-architecture)" 0 '{"Cmd":["bash"]}' "$archive"
  rm -rf "$work/debian"
fi

theirs() {
  rm -rf "$work/layout" "$work/bundle"
  skopeo copy --insecure-policy -q "oci-archive:$archive" "oci:$work/layout:bench"
  umoci unpack --image "$work/layout:bench" "$work/bundle"
}

own_system
our=() their=()
for ((i = 0; i < rounds; i++)); do
  timed "$container" image load -i "$archive"; our+=("$took")
  name=$(tail -n 1 "$work/out")
  timed "$container" image delete "$name"
  timed theirs; their+=("$took")
done
our=$(median "${our[@]}") their=$(median "${their[@]}")
echo "unpack $(stat -c %s "$archive") bytes, median of $rounds: image load $(ms "$our"), skopeo and umoci $(ms "$their"), ratio $(ratio "$our" "$their")"
echo "memory of container-core-images: $(memory VmHWM "$(service_process container-core-images)") at most"

#!/usr/bin/env bash
# From an archive to a disk that boots: `container image load` of a Debian image
# against skopeo and umoci, which make a directory tree of the same archive; then
# unpacking alone, `mkerofs` against `umoci unpack` of the same layers. Also says
# what the image service's memory was at most.
#
#   unpack.sh [ROUNDS [ARCHIVE]]     default 3, and an image made by mmdebstrap
set -euo pipefail
. "$(dirname "$0")/../common.sh"
. "$(dirname "$0")/common.sh"

rounds=${1:-3} archive=${2:-$root/build/debian.tar}
for program in skopeo umoci; do
  command -v "$program" >/dev/null || die "needs $program (scripts/setup-debian.sh --tests)"
done
"$root/scripts/make-debian-image.sh" "$archive"
(cd "$root" && cargo build --quiet --release --locked -p container-erofs --example mkerofs)
mkerofs=${CARGO_TARGET_DIR:-$root/target}/release/examples/mkerofs

to_layout() { skopeo copy --insecure-policy -q "oci-archive:$archive" "oci:$work/layout:bench"; }
theirs() {
  rm -rf "$work/layout" "$work/bundle"
  to_layout
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
echo "load $(stat -c %s "$archive") bytes, median of $rounds: image load $(ms "$our"), skopeo and umoci $(ms "$their"), ratio $(ratio "$their" "$our")"

mapfile -t layers < <(skopeo inspect --raw "oci:$work/layout:bench" |
  python3 -c 'import json, sys; [print(layer["digest"].replace(":", "/")) for layer in json.load(sys.stdin)["layers"]]')
our=() their=()
for ((i = 0; i < rounds; i++)); do
  rm -rf "$work/bundle" "$work/disk"
  timed "$mkerofs" "$work/disk" "${layers[@]/#/$work/layout/blobs/}"; our+=("$took")
  timed umoci unpack --image "$work/layout:bench" "$work/bundle"; their+=("$took")
done
our=$(median "${our[@]}") their=$(median "${their[@]}")
echo "unpack alone, median of $rounds: mkerofs $(ms "$our"), umoci $(ms "$their"), ratio $(ratio "$their" "$our")"
echo "memory of container-core-images: $(memory VmHWM "$(service_process container-core-images)") at most"

#!/usr/bin/env bash
# From a registry on this machine to a disk that boots: `container image pull` of
# a Debian image whose files are some 300 MB, against skopeo and umoci, and
# against podman where it is installed. Then `image list` with 200 images.
#
#   pull.sh [ROUNDS [ARCHIVE]]     default 3, and an image made by mmdebstrap
set -euo pipefail
. "$(dirname "$0")/../common.sh"
. "$(dirname "$0")/common.sh"

rounds=${1:-3} archive=${2:-$root/build/debian-300.tar}
for program in docker-registry skopeo umoci; do
  command -v "$program" >/dev/null || die "needs $program (scripts/setup-debian.sh --tests)"
done
"$root/scripts/make-debian-image.sh" "$archive" python3 git vim-tiny curl gdb

own_system
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat > "$work/registry.yml" <<E
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $work/registry}}
http: {addr: "127.0.0.1:$port"}
E
docker-registry serve "$work/registry.yml" >/dev/null 2>&1 &
registry=$!
trap '"$container" system stop >/dev/null 2>&1 || true; kill $registry; rm -rf "$work"' EXIT
for ((i = 0; i < 200; i++)); do
  { : > "/dev/tcp/127.0.0.1/$port"; } 2>/dev/null && break
  kill -0 $registry && sleep 0.05
done
image=127.0.0.1:$port/debian:bench
skopeo copy --insecure-policy -q --dest-tls-verify=false "oci-archive:$archive" "docker://$image"

ours() { "$container" image pull --progress none "$image"; }
theirs() {
  skopeo copy --insecure-policy -q --src-tls-verify=false "docker://$image" "oci:$work/layout:bench"
  umoci unpack --image "$work/layout:bench" "$work/bundle"
}
podman() { command podman --root "$work/podman" --runroot "$work/podman-run" "$@"; }
podmans() { podman pull --quiet --tls-verify=false "$image"; }

our=() their=() podman=()
for ((i = 0; i < rounds; i++)); do
  timed ours; our+=("$took")
  timed "$container" image delete "$image"
  timed theirs; their+=("$took")
  rm -rf "$work/layout" "$work/bundle"
  if type -P podman >/dev/null; then
    timed podmans; podman+=("$took")
    timed podman rmi "$image"
  fi
done
our=$(median "${our[@]}") their=$(median "${their[@]}")
echo "pull $(stat -c %s "$archive") bytes, median of $rounds: image pull $(ms "$our"), skopeo and umoci $(ms "$their"), ratio $(ratio "$their" "$our")"
if [ ${#podman[@]} -gt 0 ]; then
  their=$(median "${podman[@]}")
  echo "against podman pull: $(ms "$their"), ratio $(ratio "$their" "$our")"
fi
echo "memory of container-core-images: $(memory VmHWM "$(service_process container-core-images)") at most"

for ((i = 0; i < 200; i++)); do timed "$container" image tag busybox "example.com/team/image:$i"; done
times=()
for ((i = 0; i < 20; i++)); do timed "$container" image list; times+=("$took"); done
[ "$(wc -l < "$work/out")" -gt 200 ] || die "image list lists $(wc -l < "$work/out") lines"
echo "image list with 200 images, median of 20: $(ms "$(median "${times[@]}")")"

#!/usr/bin/env bash
# From a fresh Debian to the output of a container: installs the packages that
# are missing, builds binaries, kernel and init image, starts the system and
# runs a container. Run again, it only does what is left to do.
set -euo pipefail
. "$(dirname "$0")/common.sh"
cd "$root"
started=$SECONDS
step() { printf '[%3d s] %s\n' $((SECONDS - started)) "$*" >&2; }

case $(uname -m) in aarch64) arch=arm64 ;; *) arch=$(uname -m) ;; esac
kernel=build/kernel/vmlinux-$arch

step "Debian packages"
scripts/setup-debian.sh

step "Kernel (in the background) and binaries: the first time, this takes some minutes"
mkdir -p build
setsid nice -n 10 scripts/build-kernel.sh --arch "$arch" >build/kernel.log 2>&1 </dev/null &
building=$!
trap 'kill -- "-$building" 2>/dev/null || true' EXIT
cargo build --release --locked --workspace --exclude vminitd --exclude container-tests
step "Init image"
scripts/make-init-image.sh
step "Kernel: what is left of its build"
wait "$building" || { tail -n 20 build/kernel.log >&2; die "the guest kernel was not built (build/kernel.log)"; }

container=${CARGO_TARGET_DIR:-target}/release/container
step "Starting the system"
"$container" system start --disable-kernel-install
# Named after its content: a kernel that is in use is not overwritten.
named=build/kernel/vmlinux-$arch-$(sha256sum < "$kernel" | cut -c1-12)
ln -f "$kernel" "$named"
"$container" system kernel set --force --binary "$named"
"$container" image load -i build/init-image.tar >/dev/null

step "Image"
if ! "$container" image inspect busybox >/dev/null 2>&1 &&
  ! timeout 60 "$container" image pull --progress none busybox >/dev/null 2>&1; then
  step "No registry can be reached: making a busybox image from Debian's busybox-static"
  scripts/make-busybox-image.sh
  "$container" image load -i build/busybox.tar >/dev/null
fi

step "container run --rm busybox uname -a"
"$container" run --rm --progress none busybox uname -a
step "Done. Try: $container run --rm -it busybox sh"

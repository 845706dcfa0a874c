#!/usr/bin/env bash
# From a fresh clone to the output of a container, on a Mac with Apple silicon:
# builds and signs the programs, builds the init image, gets a kernel, starts the
# system and runs a container. Run again, it only does what is left to do.
#
# Needs Rust (rustup.rs), Xcode's command line tools (xcode-select --install), and
# from Homebrew: brew install coreutils gnu-tar. A kernel that Linux built (make
# kernel ARCH=arm64) is taken from build/kernel/vmlinux-arm64 where it is.
#
# (macOS has bash 3.2.)
set -euo pipefail
. "$(dirname "$0")/../common.sh"
cd "$root"
step() { printf '[%3d s] %s\n' "$SECONDS" "$*" >&2; }

[ "$(uname -m)" = arm64 ] || die "needs a Mac with Apple silicon"
[ "$(sw_vers -productVersion | cut -d. -f1)" -ge 15 ] || die "needs macOS 15 or newer"
xcode-select -p >/dev/null 2>&1 || die "needs Xcode's command line tools: xcode-select --install"
command -v rustup >/dev/null || die "needs Rust: https://rustup.rs"

step "Programs: the first time, this takes some minutes"
make sign
step "Init image"
scripts/make-init-image.sh

container=${CARGO_TARGET_DIR:-target}/release/container
step "Starting the system"
"$container" system start --disable-kernel-install
kernel=build/kernel/vmlinux-arm64
if [ -e "$kernel" ]; then
  # Named after its content: a kernel that is in use is not overwritten.
  named=$kernel-$(sha256sum < "$kernel" | cut -c1-12)
  ln -f "$kernel" "$named"
  "$container" system kernel set --force --arch arm64 --binary "$named"
elif [ ! -e "$HOME/Library/Application Support/com.apple.container/kernels/default.kernel-arm64" ]; then
  step "Kernel: the recommended one is downloaded"
  "$container" system kernel set --recommended
fi
"$container" image load -i build/init-image-arm64.tar >/dev/null

step "container run --rm busybox uname -a"
"$container" run --rm --progress none busybox uname -a
step "Done. Try: $container run --rm -it busybox sh"

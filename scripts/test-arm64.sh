#!/usr/bin/env bash
# Boots what Macs boot, on x86-64: builds the arm64 kernel, agent and images (the
# kernel takes 10 to 20 minutes unless it is in the cache) and runs containers in
# emulated machines. Arguments go to the test runner.
set -euo pipefail
. "$(dirname "$0")/common.sh"
cd "$root"

apt_install qemu-system-arm
scripts/build-kernel.sh --arch arm64
scripts/make-init-image.sh --arch arm64
scripts/make-busybox-image.sh --arch arm64
export CONTAINER_TEST_ARM64_KERNEL=$root/build/kernel/vmlinux-arm64
export CONTAINER_TEST_ARM64_INIT_IMAGE=$root/build/init-image-arm64.tar
export CONTAINER_TEST_ARM64_BUSYBOX=$root/build/busybox-arm64.tar
. scripts/test-env.sh
cargo build --workspace --bins --locked
# Of the workspace as a whole, so that nothing is compiled in another variant. The
# run of all tests leaves these out.
if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --workspace --test arm64 --locked --run-ignored only "$@"
else
  cargo test --workspace --test arm64 --locked -- --ignored "$@"
fi

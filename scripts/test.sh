#!/usr/bin/env bash
# Everything that has to pass, from a fresh Debian on: installs the packages,
# builds what VMs boot from, lints, type-checks the macOS side and runs all tests
# (VMs included).
set -euo pipefail
. "$(dirname "$0")/common.sh"
cd "$root"
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-auto}

phases=() phase='' begun=0
# step NAME ends the phase before it, and says how long that took.
step() {
  [ -z "$phase" ] || phases+=("$(printf '%5d s  %s' $((SECONDS - begun)) "$phase")")
  phase=$1 begun=$SECONDS
  [ -z "$1" ] || say "[$SECONDS s] $1"
}

case $(uname -m) in aarch64) arch=arm64 ;; *) arch=$(uname -m) ;; esac
export CONTAINER_TEST_KERNEL=${CONTAINER_TEST_KERNEL:-$root/build/kernel/vmlinux-$arch}

step "packages"
scripts/setup-debian.sh --tests

# The kernel's build, minutes long unless it is in the cache, takes what the rest
# leaves idle: compiling Rust is full of waits for one crate.
mkdir -p build
setsid nice -n 10 scripts/build-kernel.sh --arch "$arch" >build/kernel.log 2>&1 </dev/null &
kernel=$!
trap 'kill -- "-$kernel" 2>/dev/null || true' EXIT

step "lint"
scripts/lint.sh
step "build"
# With the tests, so that what they depend on is compiled once, in one variant.
cargo build --workspace --all-targets --locked
step "macOS: type check and lint"
scripts/check-darwin.sh
step "init image and busybox image"
. scripts/test-env.sh
step "Debian image"
export CONTAINER_TEST_PROGRAMS=${CONTAINER_TEST_PROGRAMS:-$root/build/debian-programs.tar}
# What tests/tests/network_programs.rs and storage_programs.rs run.
scripts/make-debian-image.sh "$CONTAINER_TEST_PROGRAMS" nginx-light redis-server postgresql curl python3 iperf3
step "kernel: what is left of its build"
wait "$kernel" || { tail -n 20 build/kernel.log >&2; die "the guest kernel was not built (build/kernel.log)"; }
step "tests"
if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --workspace --locked --profile ci
else
  cargo test --workspace --locked --no-fail-fast --lib --bins --tests
fi
step "documentation's examples"
cargo test --workspace --locked --doc --quiet

step ""
printf '%s\n' "${phases[@]}" >&2
say "all passed in $SECONDS s"

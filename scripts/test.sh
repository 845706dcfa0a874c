#!/usr/bin/env bash
# Everything that has to pass, from a fresh Debian on: installs the packages,
# builds what VMs boot from, lints, type-checks the macOS side and runs all tests
# (VMs included, on x86-64 also those of arm64, which is what Macs boot).
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
background=("-$kernel")
# That of arm64 after it, in what both leave.
kernel_arm64=
if [ "$arch" = x86_64 ]; then
  setsid nice -n 19 scripts/build-kernel.sh --arch arm64 >build/kernel-arm64.log 2>&1 </dev/null &
  kernel_arm64=$!
  background+=("-$kernel_arm64")
fi
trap 'kill -- "${background[@]}" 2>/dev/null || true' EXIT

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
# What the tests with a System::with_debian run.
scripts/make-debian-image.sh "$CONTAINER_TEST_PROGRAMS" nginx-light redis-server postgresql curl python3 iperf3 git fio
step "kernels: what is left of their builds"
# Before the tests, which have deadlines.
built() { wait "$1" || { tail -n 20 "$2" >&2; die "the guest kernel was not built ($2)"; }; }
built "$kernel" build/kernel.log
[ -z "$kernel_arm64" ] || built "$kernel_arm64" build/kernel-arm64.log
step "tests"
if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --workspace --locked --profile ci
else
  cargo test --workspace --locked --no-fail-fast --lib --bins --tests
fi
if [ -n "$kernel_arm64" ]; then
  step "arm64: its agent and images, and the tests that boot it"
  NEXTEST_PROFILE=ci scripts/test-arm64.sh || die "containers of arm64 do not pass (make test-arm64 runs them alone)"
fi
step "documentation's examples"
cargo test --workspace --locked --doc --quiet

step ""
printf '%s\n' "${phases[@]}" >&2
say "all passed in $SECONDS s"

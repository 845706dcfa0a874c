#!/usr/bin/env bash
# Everything that has to pass, from a fresh Debian on: installs the packages,
# builds what VMs boot from, lints, runs all tests (VMs included), and
# type-checks the macOS side.
set -euo pipefail
. "$(dirname "$0")/common.sh"
cd "$root"
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-auto}
started=$SECONDS
step() { say "[$((SECONDS - started)) s] $*"; }

step "packages"
scripts/setup-debian.sh --tests
step "kernel, init image, busybox image"
. scripts/test-env.sh
step "lint"
scripts/lint.sh
step "tests"
# The tests start programs of other crates, which `cargo test` builds only as
# those crates' own.
cargo build --workspace --locked
if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --workspace --locked --profile ci
else
  cargo test --workspace --locked --no-fail-fast
fi
cargo test --workspace --locked --doc --quiet
step "macOS type check"
scripts/check-darwin.sh
step "all passed"

#!/usr/bin/env bash
# Everything that is checked without running it: formatting, lints, the
# dependencies' licences and versions, and the shell scripts' syntax.
set -euo pipefail
. "$(dirname "$0")/common.sh"
cd "$root"

cargo fmt --all --check
cargo clippy --workspace --all-targets --locked -- -D warnings
if cargo deny --version >/dev/null 2>&1; then
  cargo deny check --hide-inclusion-graph licenses bans sources
else
  scripts/check-dependencies.py
fi
for script in scripts/*.sh scripts/bench/*.sh scripts/macos/*.sh .ci/run; do bash -n "$script"; done

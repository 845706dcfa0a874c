#!/usr/bin/env bash
# What can be checked on a Mac: lints, the tests that need no virtual machine, and
# containers of the programs that `make quickstart` starts. Linux checks the rest.
#
# (macOS has bash 3.2.)
set -euo pipefail
. "$(dirname "$0")/../common.sh"
cd "$root"

# Crates that are no part of the macOS product, and the tests that need a Linux host.
excluded=(--exclude vminitd --exclude container-network-bridge --exclude container-share-fs --exclude container-tests)
say "lint"
cargo fmt --all --check
cargo clippy --workspace "${excluded[@]}" --all-targets --locked -- -D warnings
say "tests"
cargo test --workspace "${excluded[@]}" --locked --no-fail-fast --lib --bins --tests
say "containers"
scripts/macos/quickstart.sh

container=${CARGO_TARGET_DIR:-$root/target}/release/container
name=container-test-$$ shared=$(mktemp -d)
trap '"$container" delete --force "$name" >/dev/null 2>&1 || true; rm -rf "$shared"' EXIT
# is WHAT WANTED GOT
is() { [ "$2" = "$3" ] || die "$1: '$2' was expected, it is '$3'"; say "ok: $1"; }

is "output" hello "$("$container" run --rm --progress none busybox echo hello)"
code=0; "$container" run --rm --progress none busybox sh -c 'exit 7' || code=$?
is "exit code" 7 "$code"
echo from-the-mac > "$shared/file"
is "shared directory" from-the-mac "$("$container" run --rm --progress none -v "$shared:/shared:ro" busybox cat /shared/file)"
"$container" run -d --progress none --name "$name" -p 127.0.0.1:18080:80 -v "$shared:/www:ro" busybox httpd -f -h /www >/dev/null
is "exec" root "$("$container" exec "$name" whoami)"
is "published port" from-the-mac "$(curl -sS --retry 10 --retry-connrefused --max-time 30 http://127.0.0.1:18080/file)"
"$container" stop "$name" >/dev/null
is "stop" "" "$("$container" list --quiet | grep -x "$name" || true)"
say "all passed in $SECONDS s"

#!/usr/bin/env bash
# Type-checks and lints the workspace for macOS on Apple silicon, on Debian.
#
#   check-darwin.sh [check|clippy|link] [CARGO-ARG...]
#
# Without an argument: clippy, warnings denied, for every crate that is part of
# the macOS product. Nothing is linked then, so neither Apple's SDK nor a linker
# is needed. The compiler is Debian's rustc-web, which comes with the sources from
# which its standard library is built for aarch64-apple-darwin, once (under two
# minutes). Packages are unpacked under ~/.cache/container-darwin, not installed.
#
# `link` builds every program and links it against stand-ins of Apple's libraries;
# scripts/darwin-ld.py says what that proves. The list of libSystem's symbols comes
# out of a Python package (ziglang, 90 MB, once).
set -euo pipefail
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/cross.sh"

# Crates that are no part of the macOS product: name, then why.
excluded=(
  vminitd # runs in the guest, which is Linux on every host
  container-share-fs # Virtualization.framework serves shared directories itself
)

target=aarch64-apple-darwin
target_compiler
target_std $target

# Build scripts that compile C get empty objects (nothing is linked), and the
# answers that clang would give to cc-rs's questions.
no_cc=$target_bin/no-cc
cat > "$no_cc.$$" <<'E'
#!/bin/sh
out='' last='' source='' expand=''
for word in "$@"; do
  case $word in
    '-?') exit 1 ;;
    -E) expand=1 ;;
    --version|-dumpversion|-dumpmachine) echo 'clang version 19.0.0'; exit 0 ;;
    *.c|*.cc|*.cpp|*.S|*.s|*.h|*.m) source=$word ;;
  esac
  [ "$last" != -o ] || out=$word
  last=$word
done
[ -z "$expand" ] || exec gcc -E -D__clang__ -U__GNUC__ "$source"
[ -z "$out" ] || : > "$out"
E
chmod +x "$no_cc.$$"
if cmp -s "$no_cc.$$" "$no_cc"; then rm "$no_cc.$$"; else mv "$no_cc.$$" "$no_cc"; fi

# One directory for each build of the standard library: cargo does not notice
# that it changed.
CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}/darwin-$target_stamp
export CARGO_TARGET_DIR
export RUSTC=$target_bin/rustc RUSTDOC=$target_bin/rustdoc SDKROOT=$target_home
export CC_aarch64_apple_darwin=$no_cc CXX_aarch64_apple_darwin=$no_cc AR_aarch64_apple_darwin=/usr/bin/ar

# libsystem_symbols makes sure that the list is there. It is part of Apple's SDK, so
# it is fetched and not kept here.
libsystem_symbols() {
  local wheels
  libsystem=$target_home/libSystem.tbd
  [ ! -e "$libsystem" ] || return 0
  say "fetching the list of libSystem's symbols"
  wheels=$(mktemp -d "$target_home/wheels.XXXXXX")
  echo 'ziglang==0.15.2 --hash=sha256:806316453d1ede7174ed3fefb8e5348154629089c3bb5fe812dfd0e172fac130' > "$wheels/wanted"
  python3 -m pip download -q --no-deps --only-binary :all: --require-hashes -r "$wheels/wanted" -d "$wheels" >&2 ||
    { rm -rf "$wheels"; die "pip could not download it"; }
  python3 -c 'import glob, sys, zipfile
wheel = zipfile.ZipFile(glob.glob(sys.argv[1] + "/*.whl")[0])
open(sys.argv[2], "wb").write(wheel.read("ziglang/lib/libc/darwin/libSystem.tbd"))' "$wheels" "$libsystem.new"
  mv "$libsystem.new" "$libsystem"
  rm -rf "$wheels"
}

mode=${1:-} crates=()
[ $# = 0 ] || shift
[ $# -gt 0 ] || crates=(--workspace "${excluded[@]/#/--exclude=}")
cd "$root"
case $mode in
  ""|clippy) CARGO=$target_cargo exec "$target_bin/cargo-clippy" clippy --locked --target $target "${crates[@]}" "$@" --all-targets -- -D warnings ;;
  check) exec "$target_cargo" check --locked --target $target "${crates[@]}" "$@" ;;
  link)
    libsystem_symbols
    lld=$(rustc --print sysroot)/lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld
    [ -x "$lld" ] || die "this Rust has no rust-lld ($lld)"
    export DARWIN_LLD=$lld LIBSYSTEM_TBD=$libsystem
    export CARGO_TARGET_AARCH64_APPLE_DARWIN_LINKER=$root/scripts/darwin-ld.py
    export CARGO_TARGET_AARCH64_APPLE_DARWIN_RUSTFLAGS=-Clinker-flavor=ld64.lld
    # Nobody runs or debugs what comes out.
    export CARGO_PROFILE_DEV_DEBUG=false CARGO_PROFILE_DEV_STRIP=none CARGO_INCREMENTAL=0
    exec "$target_cargo" build --locked --target $target "${crates[@]}" "$@" --bins ;;
  *) die "unknown mode '$mode': check, clippy or link" ;;
esac

#!/usr/bin/env bash
# Builds the guest agent as one static binary and makes the init image of it:
# an OCI archive whose one layer is the guest's read-only root.
#
#   make-init-image.sh [--arch arm64] [OUTPUT [NAME]]
#
# OUTPUT is build/init-image.tar (build/init-image-arm64.tar), NAME
# vminit:latest, the default of `[vminit] image` in config.toml.
#
# On a Mac it is always one of arm64. The agent is linked with musl there, by the
# linker that comes with Rust: nothing but a target of rustup is needed for that.
set -euo pipefail
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/oci.sh"

system=$(uname -s)
case $system in
  Darwin)
    arch=arm64 suffix=
    { command -v sha256sum && tar --version | grep GNU; } >/dev/null 2>&1 ||
      die "needs GNU's tar and coreutils: brew install coreutils gnu-tar" ;;
  *) arch=$(dpkg --print-architecture) suffix= ;;
esac
if [ "${1:-}" = --arch ]; then
  [ "$2" = "$arch" ] || suffix=-$2
  arch=$2; shift 2
fi
[ "$system$suffix" != Darwin ] || suffix=-arm64
output=${1:-$root/build/init-image$suffix.tar} name=${2:-vminit:latest}

# The flags are the last crate's alone, so that the others are those of every other
# program. At a fixed address the binary has no relocations, whose 19,000 memory
# accesses and 80 copied pages take an emulated processor longer than the rest of
# its start; and what is small is soon read and translated.
flags=(-C target-feature=+crt-static -C relocation-model=static -C opt-level=s -C lto=fat -C codegen-units=1)
build=(rustc --release --locked -p vminitd --bin vminitd)
target_dir=${CARGO_TARGET_DIR:-$root/target}
case $system$suffix in
  Darwin-arm64)
    target=aarch64-unknown-linux-musl
    [ -d "$(cd "$root" && rustc --print sysroot)/lib/rustlib/$target" ] || (cd "$root" && rustup target add $target) ||
      die "needs the target $target: rustup target add $target"
    (cd "$root" && CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=rust-lld cargo "${build[@]}" --target $target -- "${flags[@]}")
    binary=$target_dir/$target/release/vminitd ;;
  Linux)
    (cd "$root" && cargo "${build[@]}" -- "${flags[@]}")
    binary=$target_dir/release/vminitd ;;
  Linux-arm64)
    . "$(dirname "$0")/cross.sh"
    apt_install gcc-aarch64-linux-gnu libc6-dev-arm64-cross
    target_compiler
    target_std aarch64-unknown-linux-gnu
    # One directory for each build of the standard library: cargo does not notice
    # that it changed.
    target_dir=$target_dir/arm64-$target_stamp
    (cd "$root" && RUSTC=$target_bin/rustc CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
      "$target_cargo" "${build[@]}" --target aarch64-unknown-linux-gnu --target-dir "$target_dir" -- "${flags[@]}")
    binary=$target_dir/aarch64-unknown-linux-gnu/release/vminitd ;;
  *) die "unknown architecture '$arch' here: amd64 or arm64, on a Mac arm64" ;;
esac
[ ! -e "$output" ] || [ $# -gt 1 ] || [ "$output" -ot "$binary" ] || [ "$output" -ot "$0" ] || exit 0

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
chmod 0755 "$tree"
# Mount points: the root itself is never written to.
mkdir -p "$tree"/{dev,etc,mnt,proc,root,run,sbin,sys,var}
mkdir -m 1777 "$tree/tmp"
cp "$binary" "$tree/sbin/vminitd"
chmod 0755 "$tree/sbin/vminitd"

epoch=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || echo 0)}
oci_archive "$tree" "$name" "$arch" "$epoch" '{"Entrypoint":["/sbin/vminitd"]}' "$output"
say "$output: $(stat -c %s "$output") bytes, $name"

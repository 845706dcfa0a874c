#!/usr/bin/env bash
# Builds the guest agent as one static binary and makes the init image of it:
# an OCI archive whose one layer is the guest's read-only root.
#
#   make-init-image.sh [OUTPUT [NAME]]
#
# OUTPUT is build/init-image.tar, NAME vminit:latest, the default of
# `[vminit] image` in config.toml.
set -euo pipefail
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/oci.sh"

output=${1:-$root/build/init-image.tar} name=${2:-vminit:latest}
target=$(uname -m)-unknown-linux-gnu
upper=$(echo "$target" | tr 'a-z-' 'A-Z_')

# A target is named so that the flags do not reach procedural macros, which
# cannot be static. At a fixed address the binary has no relocations, whose
# 19,000 memory accesses and 80 copied pages take an emulated processor longer
# than the rest of its start.
(cd "$root" && env "CARGO_TARGET_${upper}_RUSTFLAGS=-C target-feature=+crt-static -C relocation-model=static" \
  cargo build --release --locked -p vminitd --target "$target")
binary=${CARGO_TARGET_DIR:-$root/target}/$target/release/vminitd
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
oci_archive "$tree" "$name" "$(dpkg --print-architecture)" "$epoch" '{"Entrypoint":["/sbin/vminitd"]}' "$output"
say "$output: $(stat -c %s "$output") bytes, $name"

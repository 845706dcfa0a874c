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

# The flags are the last crate's alone, so that the others are those of every other
# program. At a fixed address the binary has no relocations, whose 19,000 memory
# accesses and 80 copied pages take an emulated processor longer than the rest of
# its start; and what is small is soon read and translated.
(cd "$root" && cargo rustc --release --locked -p vminitd --bin vminitd -- \
  -C target-feature=+crt-static -C relocation-model=static -C opt-level=s -C lto=fat -C codegen-units=1)
binary=${CARGO_TARGET_DIR:-$root/target}/release/vminitd
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

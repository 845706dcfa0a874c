#!/usr/bin/env bash
# Makes an OCI archive of a Debian image with mmdebstrap, for benches and tests
# that want a real distribution: the smallest one, and packages of choice.
#
#   make-debian-image.sh OUTPUT [PACKAGE...]
#
# An OUTPUT that is there already, of the same packages, is left alone.
set -euo pipefail
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/oci.sh"

[ $# -gt 0 ] || die "no output named (see the head of this file)"
output=$1
shift
packages=$output.packages
[ ! -e "$output" ] || [ "$(cat "$packages" 2>/dev/null)" != "$*" ] || exit 0
rm -f "$output" "$packages"
apt_install mmdebstrap

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
say "making $output"
include=$(IFS=,; echo "$*")
as_root mmdebstrap --quiet --variant=minbase ${include:+--include="$include"} "$(. /etc/os-release; echo "$VERSION_CODENAME")" "$tree/root"
# Every container gets its own.
as_root rm -rf "$tree/root"/dev/*
oci_archive "$tree/root" docker.io/library/debian:bench "$(dpkg --print-architecture)" 0 '{"Cmd":["bash"]}' "$output"
as_root rm -rf "$tree/root"
echo "$*" > "$packages"
say "$output: $(stat -c %s "$output") bytes"

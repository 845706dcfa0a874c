#!/usr/bin/env bash
# Signs the programs in a directory for macOS, each with its entitlements.
#
#   sign.sh DIRECTORY PROGRAM...
#
# CODESIGN_IDENTITY is whose signature it is: `-`, the default, is one without a
# certificate, which is enough for this machine. With a certificate the programs
# are made ready for notarisation (hardened runtime, time stamp).
#
# vmnet's entitlement is one that Apple grants: macOS kills a program that has it
# without a certificate, and from macOS 26 on nothing here needs it.
set -euo pipefail

[ $# -ge 2 ] || { sed -n '2,/^set -e/{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2; }
directory=$1; shift
entitlements=$(cd "$(dirname "$0")" && pwd)
identity=${CODESIGN_IDENTITY:--}

for program in "$@"; do
  case $program in
    container) identifier=dev.container.cli ;;
    *) identifier=dev.container.${program#container-} ;;
  esac
  arguments=(--force --sign "$identity" --identifier "$identifier")
  if [ "$identity" = - ]; then arguments+=(--timestamp=none); else arguments+=(--options runtime --timestamp); fi
  file=$entitlements/$program.entitlements
  [ "$identity" != - ] || ! grep -q com.apple.vm.networking "$file" 2>/dev/null || file=
  [ ! -e "$file" ] || arguments+=(--entitlements "$file")
  codesign "${arguments[@]}" "$directory/$program"
  codesign --verify --strict "$directory/$program"
done

#!/usr/bin/env bash
# Signs the programs in a directory for macOS, each with its entitlements.
#
#   sign.sh DIRECTORY PROGRAM...
#
# CODESIGN_IDENTITY is whose signature it is: `-`, the default, is one without a
# certificate, which is enough for this machine. With a certificate the programs
# are made ready for notarisation (hardened runtime, time stamp).
#
# Both that use Apple's frameworks need com.apple.security.virtualization, which
# anybody may give: the runtime helper for its machine, the network helper because
# vmnet refuses networks to ordinary users without it. com.apple.vm.networking is
# for interfaces on the host's own networks, and Apple grants it: macOS kills a
# program that claims it otherwise. Nothing here needs it.
set -euo pipefail

[ $# -ge 2 ] || { sed -n '2,/^set -e/{/^#/s/^# \{0,1\}//p;}' "$0" >&2; exit 2; }
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
  [ ! -e "$file" ] || arguments+=(--entitlements "$file")
  codesign "${arguments[@]}" "$directory/$program"
  codesign --verify --strict "$directory/$program"
done

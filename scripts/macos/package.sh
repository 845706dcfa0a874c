#!/usr/bin/env bash
# Makes an installer package of what `make install` installs.
#
#   package.sh VERSION OUTPUT.pkg
#
# INSTALLER_IDENTITY signs the package; without it the package is not signed, and
# installing it takes `sudo installer -pkg OUTPUT.pkg -target /`. What the guest
# boots from goes into share/container where it is found: build/init-image-arm64.tar
# (make init), and build/kernel/vmlinux-arm64, which Linux builds.
set -euo pipefail

[ $# = 2 ] || { sed -n '2,/^set -e/{/^#/s/^# \{0,1\}//p;}' "$0" >&2; exit 2; }
version=$1 output=$2
here=$(cd "$(dirname "$0")" && pwd) root=$(cd "$(dirname "$0")/../.." && pwd)
identifier=dev.container.installer

payload=$(mktemp -d)
trap 'rm -rf "$payload"' EXIT
chmod 0755 "$payload"
make -C "$root" install DESTDIR="$payload" PREFIX=/usr/local
install -m 0755 "$here/uninstall-container.sh" "$payload/usr/local/bin"
for file in kernel/vmlinux-arm64 init-image-arm64.tar; do
  [ -e "$root/build/$file" ] || { echo "package.sh: without build/$file (docs/macos.md, What the guest boots from)" >&2; continue; }
  install -d "$payload/usr/local/share/container"
  install -m 0644 "$root/build/$file" "$payload/usr/local/share/container"
done

arguments=(--root "$payload/usr/local" --install-location /usr/local --identifier "$identifier" --version "$version" --ownership recommended)
[ -z "${INSTALLER_IDENTITY:-}" ] || arguments+=(--sign "$INSTALLER_IDENTITY" --timestamp)
pkgbuild "${arguments[@]}" "$output"

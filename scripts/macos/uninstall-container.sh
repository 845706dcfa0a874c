#!/bin/bash
# Removes what the installer package installed.
#
#   uninstall-container.sh -d | -k
#
#   -d   also deletes this user's containers, images, volumes and settings
#   -k   keeps them
#
# (macOS has bash 3.2.)
set -u

package=dev.container.installer
data="$HOME/Library/Application Support/com.apple.container"

die() { echo "uninstall-container.sh: $*" >&2; exit 1; }
usage() { sed -n '2,/^# (/{/^# (/d;s/^# \{0,1\}//p;}' "$0" >&2; exit 2; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

[ $# = 1 ] || usage
case $1 in
  -d) delete=1 ;;
  -k) delete= ;;
  *) usage ;;
esac
# With sudo, data and services would be looked for at root's.
[ "$(id -u)" != 0 ] || [ -z "${SUDO_USER:-}" ] || die "run this without sudo; it asks for the password where it is needed"
if launchctl list | grep -q '[[:space:]]dev\.container\.'; then
  die 'the services still run; stop them with `container system stop` first'
fi
location=$(pkgutil --pkg-info "$package" 2>/dev/null | sed -n 's/^location: //p')
[ -n "$location" ] || die "the package $package is not installed; what \`make install\` installed is removed by hand"
location=/${location#/}

# Files first, then the directories that are empty without them, innermost first.
pkgutil --only-files --files "$package" | while IFS= read -r file; do
  as_root rm -f "$location/$file" || exit 1
done || die "could not remove all files"
pkgutil --only-dirs --files "$package" | sort -r | while IFS= read -r directory; do
  as_root rmdir "$location/$directory" 2>/dev/null
done
as_root pkgutil --forget "$package" >/dev/null || die "could not unregister the package"
echo 'Removed the `container` tool and its helpers'

if [ -n "$delete" ]; then
  rm -rf "$data" || die "could not delete $data"
  echo "Removed $data"
else
  echo "Kept $data"
fi

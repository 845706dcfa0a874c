#!/usr/bin/env bash
# Makes an OCI archive of a `busybox` image from Debian's busybox-static, for
# machines that reach no registry, and for the tests.
#
#   make-busybox-image.sh [--arch arm64] [OUTPUT [NAME]]
#
# OUTPUT is build/busybox.tar (build/busybox-arm64.tar), NAME
# docker.io/library/busybox:latest by default.
set -euo pipefail
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/oci.sh"

arch=$(dpkg --print-architecture) suffix=
if [ "${1:-}" = --arch ]; then
  [ "$2" = "$arch" ] || suffix=-$2
  arch=$2; shift 2
fi
output=${1:-$root/build/busybox$suffix.tar} name=${2:-docker.io/library/busybox:latest}
apt_install busybox-static
binary=$(dpkg -L busybox-static | grep -m1 '/bin/busybox$')
# Other architectures' programs do not run here, but they have the same applets.
lister=$binary
if [ -n "$suffix" ]; then
  . "$(dirname "$0")/cross.sh"
  binary=$target_home/foreign/$arch/bin/busybox
  [ -e "$binary" ] || { mkdir -p "$target_home"; unpack "$target_home/foreign/$arch" "busybox-static:$arch"; }
fi
[ ! -e "$output" ] || [ $# -gt 1 ] || [ "$output" -ot "$binary" ] || [ "$output" -ot "$0" ] || exit 0

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
chmod 0755 "$tree"
mkdir -p "$tree"/{bin,dev,etc,home,proc,sys,usr/bin,usr/sbin,var/spool/mail}
mkdir -m 1777 "$tree/tmp" "$tree/var/tmp"
mkdir -m 0700 "$tree/root"
cp "$binary" "$tree/bin/busybox"
chmod 0755 "$tree/bin/busybox"
"$lister" --list | while read -r applet; do
  [ "$applet" = busybox ] || ln "$tree/bin/busybox" "$tree/bin/$applet"
done
ln -s ../../bin/env "$tree/usr/bin/env"
cat > "$tree/etc/passwd" <<E
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
bin:x:2:2:bin:/bin:/bin/false
sys:x:3:3:sys:/dev:/bin/false
sync:x:4:100:sync:/bin:/bin/sync
mail:x:8:8:mail:/var/spool/mail:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
operator:x:37:37:Operator:/var:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
E
cat > "$tree/etc/group" <<E
root:x:0:
daemon:x:1:
bin:x:2:
sys:x:3:
adm:x:4:
tty:x:5:
disk:x:6:
mail:x:8:
kmem:x:9:
wheel:x:10:root
cdrom:x:11:
dialout:x:18:
floppy:x:19:
video:x:28:
audio:x:29:
tape:x:32:
www-data:x:33:
operator:x:37:
utmp:x:43:
plugdev:x:46:
staff:x:50:
lock:x:54:
netdev:x:82:
users:x:100:
nobody:x:65534:
E
printf 'passwd: files\ngroup: files\nhosts: files dns\n' > "$tree/etc/nsswitch.conf"
chmod 0644 "$tree"/etc/*

oci_archive "$tree" "$name" "$arch" "$(stat -c %Y "$binary")" \
  '{"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],"Cmd":["sh"]}' "$output"
say "$output: $(stat -c %s "$output") bytes, $name"

#!/usr/bin/env bash
# Installs the Debian packages that building and running need, those of the guest
# kernel's build among them; run again, it installs nothing.
#
#   setup-debian.sh [--tests]
#
#   --tests   also what the tests compare with (skopeo, umoci, fsck.erofs, ...)
#
# Rust comes from rustup where there is one. Without any, or with a cargo that is
# too old, Debian's rustc-web (the compiler that Debian builds Firefox with) is
# installed.
set -euo pipefail
. "$(dirname "$0")/common.sh"

tests=
case ${1:-} in
  "") ;;
  --tests) tests=1 ;;
  -h|--help) sed -n '2,/^set -e/{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
  *) die "unknown argument '$1' (see --help)" ;;
esac
[ -r /etc/debian_version ] || die "this is not Debian; install QEMU, gcc, make and a Rust of rust-toolchain.toml's version yourself"

packages=(gcc libc6-dev libcap-ng-dev libseccomp-dev make qemu-system-x86 busybox-static ca-certificates)
# What networks need: rules, and for ordinary users a way out.
packages+=(nftables passt)
# What build-kernel.sh asks for: here with everything else, so that nothing is
# installed while it works beside others.
packages+=(bc bison flex libelf-dev patch xz-utils)
source=$(linux_source) || { as_root apt-get -q update >/dev/null && source=$(linux_source); } || source=
[ -z "$source" ] || packages+=("$source")

wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")
have=$(cd "$root" && cargo --version 2>/dev/null | cut -d' ' -f2 || true)
if [ -z "$have" ] || ! printf '%s\n%s\n' "$wanted" "$have" | sort -VC; then
  packages+=(cargo-web rustc-web)
  [ -z "$tests" ] || packages+=(rust-web-clippy rustfmt-web)
fi
[ -z "$tests" ] || packages+=(aardvark-dns binutils buildah curl dnsutils docker-registry e2fsprogs erofs-utils iperf3 iproute2 mmdebstrap netavark openssl podman python3 skopeo slirp4netns tmux umoci util-linux)
# What test-arm64.sh builds with and boots in.
[ -z "$tests" ] || [ "$(uname -m)" != x86_64 ] || packages+=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-system-arm)
apt_install "${packages[@]}"

# Ordinary users make network interfaces in namespaces of their own. This is the mode that udev gives the device; where
# there is no udev, nobody has.
if [ ! -w /dev/net/tun ] || [ "$(stat -c %a /dev/net/tun)" != 666 ]; then
  [ -c /dev/net/tun ] || as_root modprobe tun || die "this kernel has no tun module, which networks need"
  as_root chmod 666 /dev/net/tun
fi

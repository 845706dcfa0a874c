#!/usr/bin/env bash
# Builds the guest kernel, or takes it from the cache.
#
#   build-kernel.sh [--arch x86_64|arm64] [--source TARBALL] [--output FILE] [--jobs N]
#
#   --source   a kernel.org linux-*.tar.xz; default: Debian's linux-source package
#   --output   default build/kernel/vmlinux-<arch>
#
# The result is an uncompressed kernel: an ELF vmlinux with a PVH entry on
# x86_64, an Image on arm64. It is kept in ~/.cache/container-kernel under a hash
# of the source's version, the configuration, the patches (kernel/*-<arch>.patch)
# and the steps below, so that another checkout finds it there.
set -euo pipefail
. "$(dirname "$0")/common.sh"

[ "$(uname -s)" = Linux ] || die "kernels are built on Linux; \`container system kernel set --recommended\` gets one that boots here"

arch=x86_64 source="" output="" jobs=$(nproc)
while [ $# -gt 0 ]; do
  case $1 in
    --arch) arch=$2; shift ;;
    --source) source=$2; shift ;;
    --output) output=$2; shift ;;
    --jobs) jobs=$2; shift ;;
    -h|--help) sed -n '2,/^set -e/{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    *) die "unknown argument '$1' (see --help)" ;;
  esac
  shift
done
case $arch in
  x86_64) target=vmlinux result=vmlinux cross=x86_64-linux-gnu- ;;
  arm64) target=Image result=arch/arm64/boot/Image cross=aarch64-linux-gnu- ;;
  *) die "unknown architecture '$arch': x86_64 or arm64" ;;
esac
output=${output:-$root/build/kernel/vmlinux-$arch}

if [ -n "$source" ]; then
  [ -r "$source" ] || die "cannot read '$source'"
  version=$(sha256sum < "$source")
else
  package=$(linux_source) || die "no linux-source package here; give a kernel.org tarball with --source"
  apt_install "$package"
  if ! source=$(dpkg -L "$package" | grep -m1 '/linux-source-.*\.tar\.xz$'); then
    # It is only a name for the one of the distribution's kernel.
    package=$(dpkg-query -W -f '${Depends}' "$package" | grep -o 'linux-source-[0-9.]*')
    source=/usr/src/$package.tar.xz
  fi
  version=$(dpkg-query -W -f '${Version}' "$package")
fi
configs=("$root/kernel/config-common" "$root/kernel/config-$arch")
shopt -s nullglob
patches=("$root"/kernel/*-"$arch".patch)
steps=$(sed -n '/^# The steps/,/^# The end/p' "$0")
key=$({ echo "$arch $version $steps"; cat "${configs[@]}" "${patches[@]}"; } | sha256sum | cut -c1-16)
store=$cache/container-kernel/$key

install_result() {
  mkdir -p "$(dirname "$output")"
  cmp -s "$store/kernel" "$output" || { cp "$store/kernel" "$output.new" && mv "$output.new" "$output"; }
}
if [ -e "$store/kernel" ]; then install_result; exit 0; fi

mkdir -p "$cache/container-kernel"
exec 9>"$cache/container-kernel/lock-$key"
flock 9
if [ -e "$store/kernel" ]; then install_result; exit 0; fi

apt_install bc bison flex gcc libelf-dev make patch xz-utils
[ "$arch" = "$(uname -m)" ] || [ "$arch-$(uname -m)" = arm64-aarch64 ] || apt_install "gcc-${cross%-}"
export PATH=/usr/bin:$PATH

# Nobody else has it: what is there is left over from a build that was killed.
work=$cache/container-kernel/build-$key
rm -rf "$work"; mkdir "$work"
trap 'rm -rf "$work"' EXIT
started=$SECONDS

# The steps, every change of which makes another kernel.
say "unpacking $source"
# Documentation and the largest drivers, none of which the configurations use,
# are half of the archive; Kconfig wants their Kconfig files all the same.
mkdir "$work/src"
tar -C "$work/src" --strip-components=1 --wildcards-match-slash -xf "$source" \
  --exclude='*/drivers/gpu/drm/*.[ch]' --exclude='*/sound/*.[ch]' --exclude='*/Documentation/*.rst' \
  --exclude='*/drivers/net/ethernet/*.[ch]' --exclude='*/drivers/net/wireless/*.[ch]' \
  --exclude='*/drivers/media/*.[ch]' --exclude='*/drivers/staging/*.[ch]' --exclude='*/drivers/scsi/*.[ch]'
for patch in "${patches[@]}"; do
  patch -s -p1 -d "$work/src" < "$patch" || die "$patch does not apply to $source"
done

# The build's date and place are not part of the kernel.
export KBUILD_BUILD_TIMESTAMP='2025-01-01 00:00:00 UTC' KBUILD_BUILD_USER=container KBUILD_BUILD_HOST=container
make=(make -s -C "$work/src" O="$work/out" ARCH="$arch" CROSS_COMPILE="$cross")
mkdir "$work/out"
cat "${configs[@]}" > "$work/wanted"
"${make[@]}" KCONFIG_ALLCONFIG="$work/wanted" allnoconfig >/dev/null

# Kconfig drops in silence what lacks a dependency or is misspelt.
dropped=$(grep '^CONFIG_' "$work/wanted" | grep -vxFf "$work/out/.config" || true)
kept=$(sed -n 's/^# \(CONFIG_[A-Z0-9_]*\) is not set$/^\1=/p' "$work/wanted" | grep -f - "$work/out/.config" || true)
[ -z "$dropped$kept" ] || die "the configuration is not what kernel/config-* asks for:" $dropped $kept

say "building $target for $arch with $jobs jobs ($(grep -c '=y' "$work/out/.config") options)"
"${make[@]}" -j"$jobs" "$target" || die "the kernel did not compile"

mkdir "$work/store"
if [ "$arch" = x86_64 ]; then
  "${cross}objcopy" --strip-all "$work/out/$result" "$work/store/kernel"
else
  cp "$work/out/$result" "$work/store/kernel"
fi
cp "$work/out/.config" "$work/store/config"
# The end of the steps.

rm -rf "$store"; mv "$work/store" "$store"
install_result
say "$output: $(stat -c %s "$output") bytes in $((SECONDS - started)) s"

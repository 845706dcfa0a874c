# Sourced (bash): builds what the tests boot and load, where it is missing or
# old, and says where it is.
#
#   CONTAINER_TEST_KERNEL      guest kernel
#   CONTAINER_TEST_INIT_IMAGE  OCI archive of the init image
#   CONTAINER_TEST_BUSYBOX     OCI archive of a busybox image
#
# A variable that is set already is left alone.

_scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
_build=$(cd "$_scripts/.." && pwd)/build

case $(uname -m) in aarch64) _arch=arm64 ;; *) _arch=$(uname -m) ;; esac
if [ -z "${CONTAINER_TEST_KERNEL:-}" ]; then
  "$_scripts/build-kernel.sh" --arch "$_arch" || return 1
  export CONTAINER_TEST_KERNEL=$_build/kernel/vmlinux-$_arch
fi
if [ -z "${CONTAINER_TEST_INIT_IMAGE:-}" ]; then
  "$_scripts/make-init-image.sh" || return 1
  export CONTAINER_TEST_INIT_IMAGE=$_build/init-image.tar
fi
if [ -z "${CONTAINER_TEST_BUSYBOX:-}" ]; then
  "$_scripts/make-busybox-image.sh" || return 1
  export CONTAINER_TEST_BUSYBOX=$_build/busybox.tar
fi
unset _scripts _build _arch

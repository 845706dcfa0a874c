# Sourced (bash): builds what the tests boot and load, where it is missing or
# old, and says where it is.
#
#   CONTAINER_TEST_KERNEL      guest kernel
#   CONTAINER_TEST_AGENT       the static guest agent
#   CONTAINER_TEST_INIT_IMAGE  OCI archive of the init image, which has that agent
#   CONTAINER_TEST_BUSYBOX     OCI archive of a busybox image
#
# A variable that is set already is left alone, and exported.

_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
case $(uname -m) in aarch64) _arch=arm64 ;; *) _arch=$(uname -m) ;; esac

if [ -z "${CONTAINER_TEST_INIT_IMAGE:-}" ]; then
  "$_root/scripts/make-init-image.sh" || return 1
  CONTAINER_TEST_INIT_IMAGE=$_root/build/init-image.tar
  export CONTAINER_TEST_AGENT=${CONTAINER_TEST_AGENT:-${CARGO_TARGET_DIR:-$_root/target}/release/vminitd}
fi
if [ -z "${CONTAINER_TEST_BUSYBOX:-}" ]; then
  "$_root/scripts/make-busybox-image.sh" || return 1
  CONTAINER_TEST_BUSYBOX=$_root/build/busybox.tar
fi
if [ -z "${CONTAINER_TEST_KERNEL:-}" ]; then
  "$_root/scripts/build-kernel.sh" --arch "$_arch" || return 1
  CONTAINER_TEST_KERNEL=$_root/build/kernel/vmlinux-$_arch
fi
export CONTAINER_TEST_KERNEL CONTAINER_TEST_INIT_IMAGE CONTAINER_TEST_BUSYBOX
unset _root _arch

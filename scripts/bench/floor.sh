# Sourced after common.sh: the floor, which is QEMU alone booting the same kernel
# on the same devices to a static init that prints one line and powers off.

# floor_prepare builds its root disk in $work. $CONTAINER_TEST_KERNEL is the kernel.
floor_prepare() {
  for program in gcc mkfs.erofs qemu-system-x86_64; do
    command -v "$program" >/dev/null || die "needs $program (scripts/setup-debian.sh --tests)"
  done
  mkdir -p "$work/floor"/{sbin,dev}
  gcc -O2 -static -o "$work/floor/sbin/init" "$root/scripts/bench/init.c"
  mkfs.erofs "$work/floor.erofs" "$work/floor" >/dev/null 2>&1
  truncate -s 1G "$work/floor.scratch"
  accel=tcg,thread=multi cpu=max,svm=off,la57=off,erms=off,fsrm=off
  if [ -w /dev/kvm ] && grep -qwE 'vmx|svm' /proc/cpuinfo; then accel=kvm cpu=host; fi
  khz=$(awk -F: '/^cpu MHz/ { printf "%d", $2 * 1000; exit }' /proc/cpuinfo)
}

# floor_boot runs it once; FLOOR_CPUS and FLOOR_MEMORY (MiB) are the VM's size,
# by default that of a container without options. Boots at the same time share the
# scratch disk, which nothing is written to.
floor_boot() {
  local cpus; cpus=$(nproc)
  [ "$cpus" -le 4 ] || cpus=4
  timeout 30 qemu-system-x86_64 -M microvm,acpi=on,pit=on,pic=off,rtc=on,isa-serial=off,auto-kernel-cmdline=off \
    -accel "$accel" -cpu "$cpu" -smp "${FLOOR_CPUS:-$cpus}" -m "${FLOOR_MEMORY:-1152}" \
    -nodefaults -no-user-config -nographic -no-reboot \
    -kernel "$CONTAINER_TEST_KERNEL" \
    -append "console=hvc0 quiet tsc_early_khz=$khz lpj=$((khz * 4)) tsc=reliable no_timer_check lapic_timer_khz=1000000 panic=-1 root=/dev/vda ro rootfstype=erofs init=/sbin/init" \
    -drive "id=root,file=$work/floor.erofs,format=raw,if=none,readonly=on" -device virtio-blk-device,drive=root \
    -drive "id=scratch,file=$work/floor.scratch,format=raw,if=none,file.locking=off" -device virtio-blk-device,drive=scratch \
    -device virtio-rng-device -netdev user,id=net -device virtio-net-device,netdev=net \
    -device virtio-serial-device -chardev stdio,id=console -device virtconsole,chardev=console |
    grep -m1 -q ready
}

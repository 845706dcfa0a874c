#!/bin/sh
# Runs a command with a systemd user manager on a machine that was not booted
# with systemd: tests/with-user-manager.sh cargo test -p container-service-manager
# Needs root. Everything happens in a mount namespace and a control group of
# its own.
set -eu

if [ "${1-}" != --inside ]; then
    exec unshare --mount --propagation private sh "$0" --inside "$@"
fi
shift

directory=$(mktemp -d)
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system /run/user/0
chmod 700 /run/user/0
umount -l /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
group=/sys/fs/cgroup/user-manager-$$
mkdir -p "$group/manager"

export XDG_RUNTIME_DIR=/run/user/0
unset XDG_CONFIG_HOME NOTIFY_SOCKET 2>/dev/null || true
# The manager takes its units from a home of its own; cargo keeps the caller's.
export CARGO_HOME="${CARGO_HOME:-$HOME/.cargo}" RUSTUP_HOME="${RUSTUP_HOME:-$HOME/.rustup}"
export HOME="$directory"
sh -c "echo \$\$ > $group/manager/cgroup.procs
       exec /usr/lib/systemd/systemd --user --log-target=console" \
    > "$directory/manager.log" 2>&1 < /dev/null &
manager=$!
trap 'systemctl --user exit; wait $manager || true; rm -rf "$directory"; 
      find "$group" -depth -type d -exec rmdir {} +' EXIT

tries=0
until systemctl --user is-system-running > /dev/null 2>&1; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || { cat "$directory/manager.log"; exit 1; }
    sleep 0.1
done
"$@"

#!/usr/bin/env bash
# The first process inside: enters its cgroups, puts the overlay together and becomes systemd.
set -euo pipefail
dir=$1 group=$2
if [ "$group" != . ]; then
    # The cgroup namespace begins where this process stands when it is made.
    awk '$3 ~ /^cgroup2?$/ { print $2 }' /proc/self/mounts | while read -r mounted; do
        [ ! -d "$mounted/$group" ] || echo $$ >"$mounted/$group/cgroup.procs"
    done
    exec unshare --cgroup -- "$0" "$dir" .
fi
# Taken before the first mount: the list grows while we mount.
mounts=$(</proc/self/mounts)
root=$dir/root
mkdir -p "$root" "$dir/upper" "$dir/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$dir/upper,workdir=$dir/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /dev "$root/dev"
# As udev's rules would have it: anybody may open it.
[ -e "$dir/tun" ] || mknod -m 666 "$dir/tun" c 10 200
mount --bind "$dir/tun" "$root/dev/net/tun"
mount -t tmpfs -o mode=755 run "$root/run"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
while read -r device mounted kind options _; do
    case $kind in
        tmpfs) [ "$mounted" = /sys/fs/cgroup ] && mount -t tmpfs -o mode=755 cgroup "$root$mounted" ;;
        cgroup2) mkdir -p "$root$mounted" && mount -t cgroup2 cgroup2 "$root$mounted" ;;
        cgroup)
            controllers=$(tr , '\n' <<<"$options" | grep -vE '^(rw|ro|relatime|nosuid|nodev|noexec|xattr|release_agent=.*|clone_children)$' | paste -sd,)
            case $controllers in name=*) controllers=none,$controllers ;; esac
            mkdir -p "$root$mounted" && mount -t cgroup -o "$controllers" "$device" "$root$mounted"
            ;;
    esac || true
done <<<"$mounts"
hostname microvm-test
cd "$root"
mkdir -p .old
pivot_root . .old
umount -l /.old
exec env -i container=microvm-test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=test.target </dev/null >/dev/null 2>&1

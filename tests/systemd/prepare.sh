#!/usr/bin/env bash
# Makes a disk for boot.sh: prepare.sh DIRECTORY. A tmpfs with a small boot target; what would touch this machine is masked.
set -euo pipefail
dir=$1
mount -t tmpfs -o mode=755 microvm-test "$dir"
units=$dir/upper/etc/systemd/system
mkdir -p "$units" "$dir/work" "$dir/root"
cat >"$units/test.target" <<'UNIT'
[Unit]
Description=Small boot
Requires=basic.target
After=basic.target
Wants=microvms.target
UNIT
# The kernel's log is the whole machine's.
mkdir -p "$dir/upper/etc/systemd/journald.conf.d"
printf '[Journal]\nReadKMsg=no\nStorage=volatile\n' >"$dir/upper/etc/systemd/journald.conf.d/test.conf"
for unit in systemd-{udevd,udev-trigger,sysctl,modules-load,tmpfiles-setup-dev,tmpfiles-setup,update-utmp,remount-fs,binfmt,random-seed,sysusers,machine-id-commit,journal-flush}.service \
    systemd-udevd-{control,kernel}.socket kmod-static-nodes.service {dev-hugepages,dev-mqueue,sys-kernel-debug,sys-kernel-tracing,sys-fs-fuse-connections,sys-kernel-config,tmp}.mount \
    proc-sys-fs-binfmt_misc.automount; do
    ln -s /dev/null "$units/$unit"
done

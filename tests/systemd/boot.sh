#!/usr/bin/env bash
# Boots a systemd of its own over this machine's files: boot.sh DIRECTORY
# DIRECTORY/upper takes every change, so a second boot of the same directory is a reboot. Nothing else of the machine's
# files changes. Stays until that systemd ends; ending this process ends all that runs inside.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
dir=$(readlink -f "$1")
group=microvm-test-$$
# A cgroup of its own in every hierarchy, whichever the machine has (v1, v2 or both): it is the root of those inside.
while read -r _ mounted kind _; do
    case $kind in cgroup | cgroup2) ;; *) continue ;; esac
    mkdir "$mounted/$group" 2>/dev/null || continue
    case $mounted in */cpuset) for f in cpuset.cpus cpuset.mems; do cat "$mounted/$f" >"$mounted/$group/$f"; done ;; esac
done </proc/self/mounts
leave() {
    # The last processes inside may still be on their way out.
    awk '$3 ~ /^cgroup2?$/ { print $2 }' /proc/self/mounts | while read -r mounted; do
        for _ in $(seq 100); do
            find "$mounted/$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
            [ -d "$mounted/$group" ] || break
            sleep 0.05
        done
    done
}
trap leave EXIT
unshare --pid --mount --net --uts --ipc --fork --kill-child --propagation private -- "$here/inside.sh" "$dir" "$group" &
inside=$!
trap 'kill -KILL "$inside" 2>/dev/null' TERM INT
while kill -0 "$inside" 2>/dev/null; do wait "$inside" || true; done

#!/usr/bin/env bash
# Runs FOLDER/quickstart.sh in namespaces of its own, where every process, link, mount and file is its doing, and tells
# what it left: leftovers.sh FOLDER [SIGNAL]
# With SIGNAL (INT: to its process group, as Ctrl-C; TERM: to it alone) it is sent one while the guest boots.
# Prints its output, then `code: N`, then a line `left: …` for each difference; none of these where all is as it was.
set -euo pipefail
if [ "${3:-}" != unshared ]; then
    exec unshare --mount --propagation private --pid --net --fork --kill-child --mount-proc -- "$0" "$1" "${2:-}" unshared
fi
cd "$1"
# What others have there comes and goes.
umount -l -R /run/netns 2>/dev/null || true
mount -t tmpfs run /run
# As udev leaves it; on a machine without udev everybody but root is shut out.
mknod -m 666 /run/tun c 10 200
chmod 666 /run/tun
mount --bind /run/tun /dev/net/tun
mkdir -p tmp
rm -f out/quickstart.log
export TMPDIR=$PWD/tmp
mark() {
    ip netns list
    ip -br address
    nft list ruleset
    sed -E 's/^[0-9]+ [0-9]+ [0-9:]+ //' /proc/self/mountinfo | { grep -v ' /tmp/microvm-systemd-' || true; } # a test systemd that boots beside us is another test's
    # The names are taken by this shell itself: whatever is there now and is not it was left.
    for process in /proc/[0-9]*; do
        [ "$process" = /proc/1 ] || echo "process $(tr '\0' ' ' <"$process/cmdline")"
    done
    # What is in out/ is what it says that it leaves.
    find /run . \( -path ./out -o -path "./marks*" -o -path "/run/netns/*" \) -prune -o -type f -exec sha256sum {} + -o -print | LC_ALL=C sort
}
mark >marks-before
# With job control it has a process group of its own, and hears SIGINT.
set -m
./quickstart.sh </dev/null >marks-output 2>&1 &
started=$!
if [ -n "$2" ]; then
    # It boots: everything that the script makes is there.
    until grep -qs 'Linux version' out/quickstart.log; do
        kill -0 "$started" 2>/dev/null || break
        sleep 0.1
    done
    [ "$2" = INT ] && kill -INT -- "-$started" || kill "-$2" "$started"
fi
code=0
wait "$started" || code=$?
mark >marks-after
cat marks-output
echo "code: $code"
diff marks-before marks-after | sed -nE 's/^[<>] /left: /p' || true

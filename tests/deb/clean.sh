#!/usr/bin/env bash
# Installs a package on a clean Debian with apt, runs it, purges it, and prints what that left: clean.sh DEB SYSTEM
# SYSTEM is a directory with a minimal bookworm; debootstrap makes it where it is missing. It is only read: all changes
# go to a tmpfs that ends with this script.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
. tests/debian.sh
if [ "${3:-}" != unshared ]; then
    deb=$(readlink -f "$1")
    debian "$2"
    exec unshare --mount --propagation private -- "$0" "$deb" "$(readlink -f "$2")" unshared
fi
work=$(mktemp -d)
mount -t tmpfs -o mode=755 clean "$work"
system() {
    throw_away "$work/$1" "$system"
    cp "$deb" "$work/$1/root/microvm.deb"
    inside "$1" apt-get update -qq
}
inside() { within "$work/$1" "${@:2}"; }
# All but apt's and dpkg's own books, and the identity that systemd makes at random.
tree() {
    (cd "$work/$1/root" && find . -xdev \( -path ./var/lib/apt -o -path ./var/cache -o -path ./var/log -o -path ./var/lib/dpkg -o -path ./etc/machine-id -o -path ./run/systemd -o -path ./proc -o -path ./dev -o -path ./microvm.deb \) -prune -o \
        \( -type f -printf '%p %M %u:%g ' -exec sha256sum {} \; -o -printf '%p %M %u:%g %l\n' \) | sed -E 's/ ([0-9a-f]{64})  .*/ \1/' | LC_ALL=C sort)
}
deb=$1 system=$2
system with
system without
others=$(inside with apt-get -s install --no-install-recommends /microvm.deb | sed -nE 's/^Inst ([^ ]+) .*/\1/p' | grep -vx microvm | tr '\n' ' ')
echo "dependencies: $others"
inside with apt-get install -y -qq --no-install-recommends /microvm.deb >&2
echo "version: $(inside with microvm --version)"
echo '{"microvm":{"interfaces":[{"type":"tap","id":"vm-a1","mac":"02:00:00:00:00:01"}]}}' >"$work/with/root/tmp/vm.json"
echo "check: $(inside with microvm check /tmp/vm.json)"
rm "$work/with/root/tmp/vm.json"
echo "user: $(inside with id microvm | sed -E 's/[0-9]+//g')"
echo "units: $(inside with systemd-analyze verify --man=no microvms.target 2>&1 | grep -c microvm || true) complaints"
inside with apt-get purge -y -qq microvm >&2
# shellcheck disable=SC2086 # names, one word each
inside without apt-get install -y -qq --no-install-recommends $others >&2
# Its own user's line must be gone again, wherever it stood.
echo "left: $(diff <(tree without) <(tree with) | sed -nE 's/^[<>] ([^ ]+) .*/\1/p' | sort -u | tr '\n' ' ')"
echo "groups: $(diff "$work"/{without,with}/root/etc/group | sed -nE 's/^[<>] ([^:]+):.*/\1/p' | tr '\n' ' ')"
echo "users: $(diff "$work"/{without,with}/root/etc/passwd | sed -nE 's/^[<>] ([^:]+):.*/\1/p' | tr '\n' ' ')"
umount -l "$work"
rmdir "$work"

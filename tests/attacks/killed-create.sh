#!/usr/bin/env bash
# 'create' is killed at each of its steps: the same command, typed again, makes the VM whole.
. "$(dirname "$0")/common.sh"
mended=0
for call in mkdirat mkdir fchmod fsync renameat2 rename symlinkat symlink openat; do
    for when in 1 3 6; do
        rm -rf "$state/web" "$state/.host"
        strace -f -qq -o /dev/null -P "$state" -P "$state/.host" -P "$state/web" -P "$state/.host/web" -P "$state/.host/web/runners" -e trace=$call -e inject=$call:signal=KILL:when=$when \
            "$microvm" create web --file "$work/good.json" --state-dir "$state" >/dev/null 2>&1 && continue
        mended=$((mended + 1))
        run create web --file "$work/good.json" >/dev/null 2>&1 || run update web >/dev/null 2>&1 || reached "killed at $call number $when, no command mends the VM"
        here=$(steering web)
        [ -s "$here/file" ] && [ -x "$here/current/bin/tap-up" ] || reached "killed at $call number $when, the VM is not whole"
        run update web >/dev/null 2>&1 || reached "killed at $call number $when, the VM can't be updated"
    done
done
[ "$mended" -gt 6 ] || { echo "only $mended kills hit; the script no longer finds the steps" >&2; exit 2; }

#!/usr/bin/env bash
# A member of the group plants what a stop runs as root, in the directory of a VM that is stopped.
. "$(dirname "$0")/common.sh"
run create web --file "$work/good.json" >/dev/null
mkdir -p "$work/evil/bin"
for script in tap-down macvtap-down microvm-shutdown; do
    printf '#!/bin/sh\nid > %s/pwned\n' "$work" >"$work/evil/bin/$script"
    chmod 755 "$work/evil/bin/$script"
done
for name in booted .booted.new current .current.new; do as_attacker ln -s "$work/evil" "$state/web/$name" 2>/dev/null || true; done
# What the units call, in a network namespace of its own.
unshare --net "$microvm" host set-booted web --state-dir "$state" >/dev/null 2>&1 || true
unshare --net "$microvm" host release web --state-dir "$state" >/dev/null 2>&1 || true
for name in booted .booted.new; do as_attacker ln -s "$work/evil" "$state/web/$name" 2>/dev/null || true; done
unshare --net "$microvm" host stop-guest web --state-dir "$state" --pid 999999 >/dev/null 2>&1 || true
unshare --net "$microvm" host release web --state-dir "$state" >/dev/null 2>&1 || true
[ ! -e "$work/pwned" ] || reached "root ran the attacker's script"

#!/usr/bin/env bash
# On a host of an earlier version or of microvm.nix, the hypervisor's user writes what steers the VM; the host is moved to this version.
. "$(dirname "$0")/common.sh"
mkdir -p "$work/evil/bin" "$work/evil/share/microvm"
printf '#!/bin/sh\nid > %s/pwned\n' "$work" >"$work/evil/bin/tap-up"
chmod 755 "$work/evil/bin/tap-up"
chown -R "$attacker_user:$attacker_group" "$work/evil"
# The directory is the hypervisor's own, as microvm.nix makes it.
mkdir "$state/web"
chown "$attacker_user:$attacker_group" "$state/web"
as_attacker ln -s "$work/evil" "$state/web/current"
# And one of root's with the sticky bit, as ours was, whose runner is the attacker's.
mkdir "$state/db"
chown "0:$attacker_group" "$state/db"
chmod 1775 "$state/db"
as_attacker sh -c "mkdir -p '$state/db/runners/0123/bin' && cp '$work/evil/bin/tap-up' '$state/db/runners/0123/bin' && ln -s runners/0123 '$state/db/current' && echo '$work/evil.json' > '$state/db/file'"
"$microvm" host move --state-dir "$state" >/dev/null 2>&1 || true
for vm in web db; do
    run update "$vm" >/dev/null 2>&1 || true
    [ -d "$state/.host" ] || reached "this version takes what steers a VM from where its hypervisor writes"
    [ ! -e "$state/.host/$vm/current" ] || reached "root's unit would run $(readlink -f "$state/.host/$vm/current")/bin/tap-up"
done
# On the administrator's word it is taken as it is, once; what the hypervisor writes there afterwards steers nothing. A runner of the nix store alone can be:
# one in the hypervisor's own directory would go on being its.
! run update --adopt web >/dev/null 2>&1 || reached "a runner that the attacker may change is adopted"
if [ -d /nix/store ] || mkdir -p /nix/store 2>/dev/null; then
    store=/nix/store/$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')-microvm-qemu-web
    tidy() { rm -rf -- "$store"; rmdir /nix/store /nix 2>/dev/null || true; }
    mkdir -p "$store/bin" "$store/share/microvm"
    as_attacker ln -sfn "$store" "$state/web/current"
    run update web >/dev/null 2>"$work/told" && reached "what the hypervisor could have written is taken without a word"
    grep -q -- '--adopt web' "$work/told" || reached "it is not told what to type: $(cat "$work/told")"
    run update --adopt web >/dev/null || reached "'update --adopt' does not take it"
    [ "$(readlink "$state/.host/web/current")" = "$store" ] || reached "'update --adopt' took $(readlink "$state/.host/web/current")"
    [ "$(stat -c '%u %a' "$state/.host/web")" = "0 755" ] || reached "what steers the VM is not root's"
    as_attacker ln -sfn "$work/evil" "$state/web/current"
    "$microvm" list --state-dir "$state" --json | grep -q "\"current\": \"$store\"" || reached "'list' believes what the hypervisor wrote afterwards"
fi

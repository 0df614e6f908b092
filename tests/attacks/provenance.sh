#!/usr/bin/env bash
# The hypervisor's user names another declaration for its VM; an administrator updates it.
. "$(dirname "$0")/common.sh"
declaration web ',"binScripts":{"virtiofsd-run":"id > '"$work"'/pwned"}' >"$work/evil.json"
run create web --file "$work/good.json" >/dev/null
# A VM from a flake, as microvm.nix keeps it.
here=$(steering web)
rm -f "$here/file" "$state/web/file"
echo "path:$work/no-such-flake" >"$here/flake"
as_attacker sh -c "echo '$work/evil.json' > '$state/web/file'"
run update web >/dev/null 2>&1 || true
! grep -rqs pwned "$(readlink -f "$here/current")/bin" || reached "the next start runs the attacker's lines as root"
[ -e "$(readlink -f "$here/current")/bin/tap-up" ] || reached "the VM's runner is gone"

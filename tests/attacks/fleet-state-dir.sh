#!/usr/bin/env bash
# The author of a fleet names directories of root's as the place of VMs.
. "$(dirname "$0")/common.sh"
mkdir -p "$work/etc/secret"
chmod 700 "$work/etc/secret"
echo '{"microvm":{"stateDir":"'"$work"'/etc","vms":{"secret":{"config":'"$(declaration secret)"'}}}}' >"$work/fleet.json"
"$microvm" fleet up --no-start "$work/fleet.json" >/dev/null 2>&1 || true
[ "$(stat -c %a "$work/etc/secret")" = 700 ] || reached "root's directory has the mode $(stat -c %a "$work/etc/secret")"
[ -z "$(ls -A "$work/etc/secret")" ] || reached "root's directory was filled"
# Also where the administrator does name that directory: what was not made for a VM is not taken for one.
"$microvm" fleet up --no-start --state-dir "$work/etc" "$work/fleet.json" >/dev/null 2>&1 || true
[ "$(stat -c %a "$work/etc/secret")" = 700 ] && [ -z "$(ls -A "$work/etc/secret")" ] || reached "root's directory was taken for a VM's"
"$microvm" remove --data secret --state-dir "$work/etc" >/dev/null 2>&1 || true
[ -d "$work/etc/secret" ] || reached "root's directory was removed"

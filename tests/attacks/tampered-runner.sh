#!/usr/bin/env bash
# A runner is not what its name says: an older power cut, a bad disk, or somebody's hand. It is told, not started, and mended.
. "$(dirname "$0")/common.sh"
run create web --file "$work/good.json" >/dev/null
here=$(steering web)
for harm in "echo evil >> bin/tap-up" ": > share/microvm/declaration.json" "rm share/microvm/hypervisor" "touch bin/more" "chmod 644 bin/tap-up" "ln -sf /etc/passwd share/microvm/hypervisor"; do
    (cd "$(readlink -f "$here/current")" && sh -c "$harm")
    "$microvm" list --state-dir "$state" | grep -q broken || reached "'list' says nothing after: $harm"
    "$microvm" doctor --json --state-dir "$state" >"$work/told" 2>/dev/null || true
    grep -A1 '"check": "runners"' "$work/told" | grep -q '"problem"' && grep -q '"sudo microvm update web"' "$work/told" || reached "'doctor' says nothing after: $harm"
    ! unshare --net "$microvm" host set-booted web --state-dir "$state" 2>/dev/null || reached "a start takes it after: $harm"
    ! unshare --net "$microvm" host verify web --state-dir "$state" 2>/dev/null || reached "the units take it after: $harm"
    run update web | grep -q updated || reached "'update' does not mend it after: $harm"
    "$microvm" host verify web --state-dir "$state" || reached "it is not whole after 'update': $harm"
done
"$microvm" doctor --json --state-dir "$state" >"$work/told" 2>/dev/null || true
grep -A1 '"check": "runners"' "$work/told" | grep -q '"ok"' || reached "'doctor' still calls it broken"
! "$microvm" list --state-dir "$state" | grep -q broken || reached "'list' still calls it broken"

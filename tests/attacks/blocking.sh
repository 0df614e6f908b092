#!/usr/bin/env bash
# A member of the group leaves FIFOs, directories and files that nobody may read where root and everybody look.
. "$(dirname "$0")/common.sh"
run create web --file "$work/good.json" >/dev/null
run create db --file <(:) >/dev/null 2>&1 || true
as_attacker sh -c "mkfifo '$state/web/flake' '$state/web/toplevel' '$state/web/file' '$state/web/disk.img' '$state/web/.lock' '$state/web/lock' 2>/dev/null; mkdir '$state/web/booted' 2>/dev/null; touch '$state/web/secret'; chmod 0 '$state/web/secret'; mkdir -p '$state/web/closed/x' && chmod 0 '$state/web/closed'" || true
patiently() { timeout 20 "$@" >/dev/null 2>&1 || [ $? != 124 ] || reached "'${*##*/}' hangs"; }
patiently "$microvm" list --state-dir "$state"
"$microvm" list --state-dir "$state" 2>/dev/null | grep -q web || reached "'list' does not list the VM"
patiently setpriv --reuid 64200 --regid 64200 --clear-groups "$microvm" list --state-dir "$state"
patiently "$microvm" update web --state-dir "$state"
patiently unshare --net "$microvm" host set-booted web --state-dir "$state"
patiently unshare --net "$microvm" host release web --state-dir "$state"
patiently "$microvm" remove web --state-dir "$state"
patiently "$microvm" remove --data web --state-dir "$state"
[ ! -e "$state/web" ] || reached "the VM can't be removed"

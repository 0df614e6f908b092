#!/usr/bin/env bash
# Where VMs are is the administrator's word, in /etc/microvm.conf: not that of who may write there, and not a file's.
. "$(dirname "$0")/common.sh"
cp -a /etc "$work/etc"
cat >"$work/steps" <<STEPS
set -e
mount --bind "$work/etc" /etc
echo 'stateDir = $state # no' > /etc/microvm.conf
! "$microvm" list >/dev/null 2>&1 || { echo "reached: a value with more behind it is taken"; exit 1; }
printf '# VMs\nstateDir = $state\n' > /etc/microvm.conf
"$microvm" create web --file "$work/good.json" >/dev/null
[ -e "$state/.host/web/current" ] || { echo "reached: the administrator's word is not taken"; exit 1; }
"$microvm" list | grep -q web
"$microvm" host install --dry-run >/dev/null
[ "\$("$microvm" list --state-dir "$work/none" 2>&1 | grep -c web)" = 0 ] || { echo "reached: the option does not come first"; exit 1; }
chown $attacker_user /etc/microvm.conf
! "$microvm" list >/dev/null 2>"$work/told" || { echo "reached: another's word is taken"; exit 1; }
grep -q 'chown root /etc/microvm.conf' "$work/told" || { echo "reached: it is not told what to type: \$(cat "$work/told")"; exit 1; }
STEPS
unshare --mount bash "$work/steps" >&2
# A fleet's stateDir is refused where it is another: fleet-state-dir.sh.

#!/usr/bin/env bash
# The author of a declaration has lines of theirs run, where an administrator types the command; without a word of consent none is.
. "$(dirname "$0")/common.sh"
mkdir -m 1777 "$work/theirs" "$work/open"
line() { declaration web ',"binScripts":{"tap-up":["'"$1"'"]}' >"$work/theirs/vm.json" && chown "$attacker_user" "$work/theirs/vm.json"; }
refused() {
    local code=0
    "$@" </dev/null >"$work/told" 2>&1 || code=$?
    [ "$code" = 2 ] && grep -q 'microvm.binScripts.tap-up, as root under the units, with CAP_NET_ADMIN' "$work/told" && grep -q -- ' --trust' "$work/told" || reached "'${*:2}' ended with $code and told: $(cat "$work/told")"
}
line 'echo one'
refused "$microvm" create web --file "$work/theirs/vm.json" --state-dir "$state"
[ ! -e "$state/.host/web/current" ] || reached "the VM was made without consent"
run create web --file "$work/theirs/vm.json" --trust >/dev/null
run update web >/dev/null </dev/null || reached "what was agreed to is asked for again"
before=$(readlink -f "$state/.host/web/current")
line 'id > /root/pwned'
refused "$microvm" update web --state-dir "$state"
[ "$(readlink -f "$state/.host/web/current")" = "$before" ] || reached "a changed line is published without consent"
echo '{"microvm":{"vms":{"web":{"config":'"$(cat "$work/theirs/vm.json")"'}}}}' >"$work/theirs/fleet.json"
chown "$attacker_user" "$work/theirs/fleet.json"
refused "$microvm" fleet up --no-start --state-dir "$state" "$work/theirs/fleet.json"
# A flake that is fetched is built by root, whatever it holds.
! run update web --flake git+https://example.invalid/infra </dev/null >"$work/told" 2>&1 || reached "a flake of somebody else's is built"
grep -q -- ' --trust' "$work/told" || reached "a flake is built without consent: $(cat "$work/told")"
# Root's own file is the administrator's word.
cp "$work/theirs/vm.json" "$work/own.json"
run update web --file "$work/own.json" >/dev/null </dev/null || reached "root's own file is refused"
# What 'run' has run as another, remembered in a /var/lib of this test's own.
mkdir "$work/qemu" "$work/qemu/bin"
ln -s /bin/true "$work/qemu/bin/qemu-system-x86_64"
declare_run() {
    echo '{"networking":{"hostName":"web"},"microvm":{"kernel":"/k","socket":null,"user":"daemon","preStart":"'"$1"' >> '"$work"'/open/ran","qemu":{"package":"'"$work"'/qemu"}}}' >"$work/theirs/run.json"
    chown "$attacker_user" "$work/theirs/run.json"
}
touch "$work/kernel"
cat >"$work/steps" <<STEPS
set -e
mount -t tmpfs none /var/lib
cd "$work/open"
# What can't run is told so, and nobody is asked for anything.
sed 's#"socket":null#&,"interfaces":[{"type":"tap","id":"vm-none","mac":"02:00:00:00:00:09"}]#' "$work/theirs/run.json" >"$work/theirs/cant.json"
chown "$attacker_user" "$work/theirs/cant.json"
code=0; "$microvm" run "$work/theirs/cant.json" </dev/null >"$work/told" 2>&1 || code=\$?
[ \$code = 1 ] && grep -q "'vm-none'" "$work/told" && ! grep -q -- '--trust' "$work/told" || { echo "reached: consent is asked for what can't run: \$code, \$(cat "$work/told")"; exit 1; }
sed -i 's#"/k"#"$work/kernel"#' "$work/theirs/run.json"
code=0; "$microvm" run "$work/theirs/run.json" </dev/null >"$work/told" 2>&1 || code=\$?
[ \$code = 2 ] && grep -q 'microvm.preStart, as user daemon, with no capability' "$work/told" || { echo "reached: 'run' asks nothing: \$code, \$(cat "$work/told")"; exit 1; }
[ ! -e "$work/open/ran" ] || { echo "reached: the lines ran"; exit 1; }
"$microvm" run --trust "$work/theirs/run.json" </dev/null || { echo "reached: consent is not taken"; exit 1; }
"$microvm" run "$work/theirs/run.json" </dev/null || { echo "reached: consent is not remembered"; exit 1; }
[ "\$(sort -u "$work/open/ran")" = 1 ] || { echo "reached: it ran as \$(cat "$work/open/ran")"; exit 1; }
[ "\$(stat -c %a%u /var/lib/microvm/trusted/*)" = 6440 ] || { echo "reached: others may write consent"; exit 1; }
sed -i 's/id -u/id -u;id -u/' "$work/theirs/run.json"
! "$microvm" run "$work/theirs/run.json" </dev/null 2>/dev/null || { echo "reached: a changed line runs without consent"; exit 1; }
# What nobody but its author runs as needs nobody's consent.
sed 's/"user":"daemon",//' "$work/theirs/run.json" > "$work/theirs/self.json"; chown $attacker_user:$attacker_group "$work/theirs/self.json"; rm "$work/open/ran"
SUDO_UID=$attacker_user SUDO_GID=$attacker_group "$microvm" run "$work/theirs/self.json" </dev/null || { echo "reached: the author's own lines are refused to the author"; exit 1; }
# A share that root's daemon serves is asked for like a program.
! "$microvm" virtiofsd "$work/theirs/share.json" </dev/null >"$work/told" 2>&1 || { echo "reached: root's files are served to a guest"; exit 1; }
grep -q 'virtiofsd for the guest, over /etc of this host, as root' "$work/told" || { echo "reached: a share is not asked for: \$(cat "$work/told")"; exit 1; }
STEPS
declare_run 'id -u'
declaration web ',"virtiofsd":{"group":null},"shares":[{"proto":"virtiofs","tag":"t","source":"/etc","socket":"'"$work"'/s"}]' >"$work/theirs/share.json"
chown "$attacker_user" "$work/theirs/share.json"
unshare --mount bash "$work/steps" >&2

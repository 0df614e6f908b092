#!/usr/bin/env bash
# Who may call 'sudo microvm run' has their lines run as another account.
. "$(dirname "$0")/common.sh"
mkdir "$work/qemu" "$work/qemu/bin"
ln -s /bin/true "$work/qemu/bin/qemu-system-x86_64"
chmod 777 "$work"
echo '{"networking":{"hostName":"web"},"microvm":{"kernel":"/k","socket":null,"user":"daemon","qemu":{"package":"'"$work"'/qemu"},"preStart":"id -un > '"$work"'/pwned"}}' >"$work/run.json"
cd "$work"
SUDO_UID=$attacker_user SUDO_GID=$attacker_group "$microvm" run "$work/run.json" >/dev/null 2>"$work/told" || true
[ ! -e "$work/pwned" ] || reached "the lines ran as $(cat "$work/pwned")"
grep -q 'sudo -u' "$work/told" || reached "it is not told what to type: $(cat "$work/told")"

#!/usr/bin/env bash
# The author of a declaration has an error name a file of root's, so that root shows a line of it, or a pipe, so that root waits.
. "$(dirname "$0")/common.sh"
mkdir "$work/closed"
chmod 700 "$work/closed"
for file in secret closed/secret; do echo 'root:SECRET:1' >"$work/$file"; done
chmod 600 "$work/secret"
mkfifo -m 666 "$work/pipe"
mkdir "$work/theirs"
echo 'of their own' >"$work/theirs/own"
chmod 644 "$work/theirs/own"
ln -s "$work/secret" "$work/theirs/link"
for file in secret closed/secret theirs/link pipe /dev/zero theirs/own; do
    case $file in /*) path=$file ;; *) path=$work/$file ;; esac
    # By the words in which our own expression tells places, and by nix's.
    echo '{ microvm.vcpu = throw "MICROVM-AT '"$path"':1:3 boo"; }' >"$work/theirs/vm.nix"
    chown -R "$attacker_user:$attacker_group" "$work/theirs"
    chown -h "$attacker_user" "$work/theirs/link"
    # Behind sudo it is read for the caller, else for the owner.
    for sudo in "SUDO_UID=$attacker_user SUDO_GID=$attacker_group" ""; do
        [ -n "$sudo" ] || case $file in secret | theirs/own) ;; *) continue ;; esac
        env $sudo timeout 10 "$microvm" check --color always "$work/theirs/vm.nix" >"$work/told" 2>&1 || [ $? != 124 ] || reached "root waits for $file"
        grep -q boo "$work/told" || reached "the error is not told: $(cat "$work/told")"
        ! grep -q SECRET "$work/told" || reached "root shows a line of $file"
    done
done
grep -q 'of their own' "$work/told" || reached "what they may read is not shown: $(cat "$work/told")"

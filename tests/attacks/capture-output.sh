#!/usr/bin/env bash
# Whom sudo lets capture has root write where they may not.
. "$(dirname "$0")/common.sh"
name=mva-$$
ip netns add "$name"
tidy() { ip netns delete "$name"; }
"$microvm" up --netns "$name" "$work/good.json" >/dev/null
echo secret >"$work/secret"
chmod 600 "$work/secret"
mkdir -m 755 "$work/closed"
for file in "$work/secret" "$work/closed/new"; do
    SUDO_UID=$attacker_user SUDO_GID=$attacker_group "$microvm" capture --netns "$name" vm-x1 --seconds 0.2 -o "$file" >/dev/null 2>&1 || true
    SUDO_UID=$attacker_user SUDO_GID=$attacker_group "$microvm" topology --svg -o "$file" "$work/good.json" >/dev/null 2>&1 || true
    for words in "metrics $work/good.json -o $file" "init --name web -o $file" "build $work/good.json -o $file" "man -o $work/closed" "man -o $file" "host install --root $work/closed" "host install --root $file"; do
        # shellcheck disable=SC2086 # The words of a command.
        SUDO_UID=$attacker_user SUDO_GID=$attacker_group "$microvm" $words >/dev/null 2>&1 || true
        [ -z "$(ls "$work/closed")" ] || reached "'$words' made $(ls "$work/closed" | head -3) where the caller may not"
    done
done
# Where they may, it is there, and theirs.
mkdir "$work/theirs"
chown "$attacker_user:$attacker_group" "$work/theirs"
for words in "metrics $work/good.json -o $work/theirs/metrics" "init --name web -o $work/theirs/init.nix" "build $work/good.json -o $work/theirs/result" "man -o $work/theirs/man" "host install --root $work/theirs"; do
    # shellcheck disable=SC2086 # The same.
    SUDO_UID=$attacker_user SUDO_GID=$attacker_group "$microvm" $words >"$work/told" 2>&1 || { echo "'$words' fails: $(cat "$work/told")" >&2; exit 2; }
done
[ -z "$(find "$work/theirs" ! -user "$attacker_user")" ] || reached "what the caller had made is not the caller's: $(find "$work/theirs" ! -user "$attacker_user" | head -3)"
[ "$(cat "$work/secret")" = secret ] || reached "root overwrote a file of its own"
[ ! -e "$work/closed/new" ] || reached "root made a file where the caller may not"

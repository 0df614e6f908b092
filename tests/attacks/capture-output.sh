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
done
[ "$(cat "$work/secret")" = secret ] || reached "root overwrote a file of its own"
[ ! -e "$work/closed/new" ] || reached "root made a file where the caller may not"

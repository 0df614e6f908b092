#!/usr/bin/env bash
# The author of a declaration names a program of theirs that root starts with all its capabilities.
. "$(dirname "$0")/common.sh"
mkdir -p "$work/theirs/bin"
printf '#!/bin/sh\nid -u > %s/pwned\n' "$work" >"$work/theirs/bin/virtiofsd"
chmod 755 "$work/theirs/bin/virtiofsd"
chown -R "$attacker_user" "$work/theirs"
mkdir "$work/links"
ln -s "$work/theirs" "$work/links/package"
for package in "$work/theirs" "$work/links/package"; do
    declaration web ',"virtiofsd":{"group":null,"package":"'"$package"'"},"shares":[{"proto":"virtiofs","tag":"t","source":"'"$work"'","socket":"'"$work"'/s"}]' >"$work/share.json"
    timeout 20 "$microvm" virtiofsd "$work/share.json" >/dev/null 2>&1 || true
    [ ! -e "$work/pwned" ] || reached "it ran as user $(cat "$work/pwned")"
done

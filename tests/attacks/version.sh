#!/usr/bin/env bash
# A program that a declaration names never ends to tell its version, or never ends telling.
. "$(dirname "$0")/common.sh"
mkdir -p "$work/p/bin"
declaration web ',"virtiofsd":{"group":null,"package":"'"$work"'/p"},"shares":[{"proto":"virtiofs","tag":"t","source":"'"$work"'","socket":"'"$work"'/s"}]' >"$work/share.json"
for lines in 'sleep 100 & exit 0' 'exec yes' 'exec yes >&2'; do
    printf '#!/bin/sh\n%s\n' "$lines" >"$work/p/bin/virtiofsd"
    chmod 755 "$work/p/bin/virtiofsd"
    code=0
    timeout 15 "$microvm" virtiofsd "$work/share.json" >/dev/null 2>"$work/told" || code=$?
    [ "$code" != 124 ] || reached "root waits for: $lines"
    grep -q "doesn't print its version" "$work/told" || reached "it is not told: $lines: $(cat "$work/told")"
done

#!/usr/bin/env bash
# In a directory that all may write, somebody makes what a build would write next, as a link to a directory of root's.
. "$(dirname "$0")/common.sh"
mkdir "$work/shared" "$work/precious"
chmod 1777 "$work/shared"
pid=$(sh -c 'echo $$')
as_attacker perl -e 'symlink $ARGV[0], "$ARGV[1]/.result.$_.new" for $ARGV[2] .. $ARGV[2] + 2000' "$work/precious" "$work/shared" "$pid"
"$microvm" build "$work/good.json" -o "$work/shared/result" >/dev/null 2>&1 || true
[ -z "$(ls -A "$work/precious")" ] || reached "root's directory was filled: $(ls "$work/precious" | tr '\n' ' ')"
[ "$(stat -c %a "$work/precious")" = 755 ] || reached "its mode is $(stat -c %a "$work/precious")"

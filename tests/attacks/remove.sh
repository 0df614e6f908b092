#!/usr/bin/env bash
# While root removes a VM with its data, its user exchanges a directory for a link to one of root's. strace keeps the moment open.
. "$(dirname "$0")/common.sh"
for try in 1 2 3; do
    rm -rf "$state/web" "$state/.host"
    run create web --file "$work/good.json" >/dev/null
    mkdir -p "$work/precious"
    as_attacker mkdir "$state/web/d"
    for n in $(seq 60); do echo keep >"$work/precious/$n"; done
    as_attacker sh -c "for n in \$(seq 60); do : > '$state/web/d/'\$n; done"
    strace -f -qq -o /dev/null -e trace=unlink,unlinkat,rmdir -e inject=unlink,unlinkat,rmdir:delay_enter=15000 \
        "$microvm" remove --data web --state-dir "$state" >/dev/null 2>&1 &
    remover=$!
    for _ in $(seq 400); do
        [ "$(ls "$state/web/d" 2>/dev/null | wc -l)" = 60 ] || break
        sleep 0.01
    done
    as_attacker sh -c "mv '$state/web/d' '$state/web/e' && ln -s '$work/precious' '$state/web/d'" 2>/dev/null || true
    wait "$remover" || true
    [ "$(ls "$work/precious" | wc -l)" = 60 ] || reached "root's files were deleted through a link (try $try)"
done

#!/usr/bin/env bash
# Many updates of one VM at once, each with another declaration; strace slows some down. No runner is a mixture, and 'list' would say so.
. "$(dirname "$0")/common.sh"
run create web --file "$work/good.json" >/dev/null
for n in 1 2; do declaration web ',"vcpu":'"$n" >"$work/v$n.json"; done
names=()
for try in $(seq 8); do
    for n in 1 2; do
        # In every other try one is slow between writing its runner and pointing at it, so that the other can clear that away.
        slow=renameat2,rename,symlink,symlinkat pause=$((try % 4 * 9000 + 1000))
        [ $((try % 2)) = 0 ] || { slow=symlink,symlinkat pause=1; [ "$n" = $((try % 4 / 2 + 1)) ] || pause=60000; }
        strace -f -qq -o /dev/null -e trace=$slow -e inject=$slow:delay_enter=$pause \
            "$microvm" update web --file "$work/v$n.json" --state-dir "$state" >/dev/null 2>&1 &
    done
    wait
    here=$(steering web)
    runner=$(readlink -f "$here/current")
    [ -f "$runner/share/microvm/declaration.json" ] || reached "no runner is left (try $try)"
    vcpu=$(sed -nE 's/.*"vcpu": *([0-9]+).*/\1/p' "$runner/share/microvm/declaration.json")
    [ -n "$vcpu" ] || reached "neither of two updates came through (try $try)"
    # The flags of taps follow the number of processors: both files are of one declaration.
    flags=$(tr '\n' ' ' <"$runner/share/microvm/tap-flags")
    case "$vcpu $flags" in "1 vnet_hdr " | "2 vnet_hdr multi_queue ") ;; *) false ;; esac || reached "a mixture of two runners: $vcpu, $flags"
    # The same declaration again is the same content under the same name, and vice versa.
    [ "${names[$vcpu]:-$runner}" = "$runner" ] || reached "one declaration has two runners"
    names[vcpu]=$runner
done
[ "${names[1]:-1}" != "${names[2]:-2}" ] || reached "two declarations share a runner"

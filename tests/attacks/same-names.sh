#!/usr/bin/env bash
# Two links with one name in one look: names that are no UTF-8, and a rename between two of the kernel's messages. No command ends for it, and 'up' is whole.
. "$(dirname "$0")/common.sh"
name=mva-$$
ip netns add "$name"
tidy() { ip netns delete "$name"; }
odd=q
for byte in $'\377' $'\376' $'\001' $'\033[2J' $'\u202e' $'\302\233'; do ip -n "$name" link add "$odd$byte" type bridge; done
# Ports of ours, so that a picture shows both.
for n in 1 2; do declaration "vm$n" | sed "s/vm-x1/vm-y$n/;s/00:01\"/00:1$n\"/" >"$work/$n.json"; done
"$microvm" up --netns "$name" "$work/1.json" "$work/2.json" >/dev/null
ip -n "$name" link set vm-y1 master "$odd"$'\377'
ip -n "$name" link set vm-y2 master "$odd"$'\376'
told() {
    local code=$1
    shift
    [ "$code" -lt 2 ] && ! grep -qi 'same key\|internal\|unhandled' "$work/told" || reached "'$*' ended with $code: $(cat "$work/told")"
    ! LC_ALL=C grep -aqP '[\x00-\x08\x0b-\x1f\x7f\xff\xfe]|\xe2\x80\xae|\xc2\x9b' "$work/told" || reached "'$*' prints a name as it is: $(cat -v "$work/told")"
}
each() {
    local code=0
    "$microvm" "$1" --netns "$name" "${@:2}" </dev/null >"$work/told" 2>&1 || code=$?
    told "$code" "$@"
}
for command in plan status 'status --json' topology 'topology --host' 'topology --host --svg' 'topology --host --mermaid' 'topology --host --dot' metrics doctor 'top --once' up; do
    case $command in *--host*) each $command ;; *) each $command "$work/1.json" "$work/2.json" ;; esac
done
each run --dry-run "$work/1.json"
[ "$("$microvm" topology --netns "$name" --host 2>/dev/null | grep -c 'bridge, ')" = 2 ] || reached "two bridges are one in the picture"
# A name that another of the same dump has by now: more links than one message holds, and strace between two messages.
for n in $(seq 90); do echo "link add many$n type bridge"; done | ip -n "$name" -batch -
hits=0
first=many1
for command in plan status topology metrics 'run --dry-run' up down; do
    declaration web >"$work/web.json"
    for when in 3 5; do
        ip -n "$name" link delete vm-x1 2>/dev/null || true
        [ "$command" != down ] || "$microvm" up --netns "$name" "$work/web.json" >/dev/null
        strace -f --seccomp-bpf -qq -o "$work/trace" -e trace=recvmsg,recvfrom -e inject=recvmsg,recvfrom:delay_enter=700000:when=$when "$microvm" ${command%% *} --netns "$name" $([[ $command != *' '* ]] || echo "${command#* }") "$work/web.json" </dev/null >"$work/told" 2>&1 &
        tracer=$!
        held=0
        for _ in $(seq 600); do
            looks=$(pgrep -P "$tracer" || true)
            if [ -n "$looks" ] && grep -qs '^State:.t' /proc/"$looks"/task/*/status; then held=$((held + 1)); else held=0; fi
            [ "$held" -lt 3 ] && kill -0 "$tracer" 2>/dev/null || break
            sleep 0.02
        done
        [ "$held" -lt 3 ] || hits=$((hits + 1))
        # The first link gets out of the way, and the last takes its name on.
        ip -n "$name" link set "$first" name spare
        ip -n "$name" link set many90 name "$first"
        code=0
        wait "$tracer" || code=$?
        told "$code" "$command (message $when)"
        ip -n "$name" link set "$first" name many90
        ip -n "$name" link set spare name "$first"
    done
done
[ "$hits" -ge 8 ] || { echo "only $hits looks were met between two messages" >&2; exit 2; }

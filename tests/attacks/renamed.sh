#!/usr/bin/env bash
# Somebody else's link takes over the name of one of ours, while a system call that goes by name is slow: it gets neither our user nor our settings.
. "$(dirname "$0")/common.sh"
name=mva-$$
ip netns add "$name"
tidy() { ip netns delete "$name"; }
in_netns() { nsenter --net="/run/netns/$name" "$@"; }
# strace keeps a call open for more than a second, and meanwhile the links change their names. 'up' may fail; what it does to the foreign link counts.
up_with() {
    local call=$1 path=$2 tracer up
    shift 2
    strace -f --seccomp-bpf -qq -o /dev/null -e trace="${call%%:*}" -P "$path" -e inject="$call=1500000" "$microvm" up --netns "$name" "$@" >"$work/told" 2>&1 &
    tracer=$!
    local held=0
    for _ in $(seq 600); do
        up=$(pgrep -P "$tracer" || true)
        if [ -n "$up" ] && grep -qs '^State:.t' /proc/"$up"/task/*/status; then held=$((held + 1)); else held=0; fi
        [ "$held" -lt 6 ] || break
        sleep 0.02
    done
    [ "$held" = 6 ] || { echo "the script did not find 'up' in $call of $path: $(cat "$work/told")" >&2; exit 2; }
    ip -n "$name" link set vm-x1 name away
    ip -n "$name" link set foreign name vm-x1
    wait "$tracer" || true
}
owner() { ip -n "$name" -d -o link show "$1" | grep -o 'tun type tap .*'; }
afresh() {
    local link
    for link in vm-x1 foreign away; do ip -n "$name" link delete "$link" 2>/dev/null || true; done
}
# A tap that gets another owner.
for call in openat:delay_exit ioctl:when=1:delay_enter ioctl:when=2:delay_enter ioctl:when=3:delay_enter; do
    afresh
    "$microvm" up --netns "$name" --user root "$work/good.json" >/dev/null
    in_netns ip tuntap add dev foreign mode tap user 64125
    before=$(owner foreign)
    up_with "$call" /dev/net/tun --user "$attacker_user" "$work/good.json"
    after=$(owner vm-x1)
    [[ $after == *" user 64125 "* ]] || reached "a foreign tap belongs to '$after' instead of '$before' ($call): $(cat "$work/told")"
    # What opens slowly does not even touch it.
    [ "$call" != openat:delay_exit ] || [ "$after" = "$before" ] || reached "a foreign tap was opened: '$after' instead of '$before'"
done
# A new link on which IPv6 is to be off, and one that has to be changed.
ip -n "$name" link add lower type bridge
echo '{"networking":{"hostName":"web"},"microvm":{"interfaces":[{"type":"macvtap","id":"vm-x1","mac":"02:00:00:00:00:01","macvtap":{"link":"lower","mode":"bridge"}}]}}' >"$work/macvtap.json"
setting=/proc/sys/net/ipv6/conf/vm-x1/disable_ipv6
for made in no yes; do
    for call in openat:delay_enter openat:delay_exit write:delay_enter; do
        afresh
        ip -n "$name" link add foreign type bridge
        if [ $made = yes ]; then
            "$microvm" up --netns "$name" "$work/macvtap.json" >/dev/null
            ip -n "$name" link set vm-x1 down
            in_netns sh -c "echo 0 >$setting"
        fi
        up_with "$call" "$setting" "$work/macvtap.json"
        [ "$(in_netns cat "$setting")" = 0 ] || reached "IPv6 is off on a foreign link ($call): $(cat "$work/told")"
    done
done

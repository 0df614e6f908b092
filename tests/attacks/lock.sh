#!/usr/bin/env bash
# A user without any right in the network namespace keeps the lock on it.
. "$(dirname "$0")/common.sh"
name=mva-$$
ip netns add "$name"
tidy() { ip netns delete "$name"; }
nsenter --net="/run/netns/$name" setpriv --reuid "$attacker_user" --regid "$attacker_group" --clear-groups flock --no-fork /proc/self/ns/net sleep 100 &
sleep 0.3
timeout 10 "$microvm" up --netns "$name" "$work/good.json" >/dev/null 2>&1 || reached "'up' waits for somebody who may not change the namespace"
# Two of ours still wait for each other.
for n in 1 2 3 4; do
    declaration "vm$n" | sed "s/vm-x1/vm-y$n/" >"$work/$n.json"
    strace -f -qq -o /dev/null -e trace=sendmsg,sendto -e inject=sendmsg,sendto:delay_enter=3000 "$microvm" up --netns "$name" "$work/$n.json" >/dev/null 2>"$work/$n.err" &
done
wait %2 %3 %4 %5 || true
for n in 1 2 3 4; do ip -n "$name" link show "vm-y$n" >/dev/null 2>&1 || reached "an 'up' of several at once failed: $(cat "$work/$n.err")"; done

#!/usr/bin/env bash
# Who wrote the declaration, and called sudo, stops root's 'up' half-way, and ends 'watch'.
. "$(dirname "$0")/common.sh"
name=mva-$$
ip netns add "$name"
tidy() { ip netns delete "$name"; }
chown "$attacker_user" "$work/good.json"
export SUDO_UID=$attacker_user SUDO_GID=$attacker_group
# strace keeps the moment open in which the links are made.
strace -f -qq -o /dev/null -e trace=ioctl -e inject=ioctl:delay_enter=300000 "$microvm" up --netns "$name" "$work/good.json" >/dev/null 2>&1 &
tracer=$!
for _ in $(seq 200); do
    up=$(pgrep -P "$tracer" || true)
    [ -n "$up" ] && ls -l "/proc/$up/fd" 2>/dev/null | grep -q net/tun && break
    sleep 0.01
done
[ -n "$up" ] || { echo "the script did not find 'up' at work" >&2; exit 2; }
! as_attacker kill -STOP "$up" 2>/dev/null || { kill -CONT "$up"; reached "the caller stopped root's 'up' at work"; }
! as_attacker kill -KILL "$up" 2>/dev/null || reached "the caller killed root's 'up' at work"
wait "$tracer" || reached "'up' failed"
"$microvm" watch --netns "$name" "$work/good.json" >"$work/told" 2>&1 &
watch=$!
for _ in $(seq 200); do [ ! -s "$work/told" ] || break; sleep 0.02; done
! as_attacker kill -TERM "$watch" 2>/dev/null || reached "the caller ended root's 'watch'"
kill "$watch"

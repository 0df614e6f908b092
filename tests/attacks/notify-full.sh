#!/usr/bin/env bash
# The socket to which 'watch' tells how it is is full, and nobody reads it.
. "$(dirname "$0")/common.sh"
name=mva-$$
ip netns add "$name"
tidy() { ip netns delete "$name"; }
perl -MSocket -e '
    socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die; bind($s, pack_sockaddr_un($ARGV[0])) or die;
    socket(my $c, AF_UNIX, SOCK_DGRAM, 0) or die; connect($c, pack_sockaddr_un($ARGV[0])) or die;
    for (1 .. 100000) { send($c, "x", 0x40) or last } open(my $f, ">", "$ARGV[0].full"); close $f; sleep 100' "$work/notify" &
for _ in $(seq 200); do [ ! -e "$work/notify.full" ] || break; sleep 0.02; done
NOTIFY_SOCKET=$work/notify "$microvm" watch --netns "$name" "$work/good.json" >"$work/told" 2>&1 &
watch=$!
for _ in $(seq 100); do ! ip -n "$name" link show vm-x1 >/dev/null 2>&1 || break; sleep 0.05; done
ip -n "$name" link delete vm-x1 || reached "'watch' made nothing"
for _ in $(seq 100); do ! ip -n "$name" link show vm-x1 >/dev/null 2>&1 || break; sleep 0.05; done
ip -n "$name" link show vm-x1 >/dev/null 2>&1 || reached "'watch' mends nothing while its socket is full"
kill "$watch"
for _ in $(seq 100); do kill -0 "$watch" 2>/dev/null || exit 0; sleep 0.05; done
reached "'watch' does not end"

#!/usr/bin/env bash
# Another user of the host, and another VM's hypervisor, reach for a VM's tap and for the node of its macvtap: to open, to change, to listen and to delete.
. "$(dirname "$0")/common.sh"
name=mva-$$
ip netns add "$name"
tidy() { ip netns delete "$name"; }
ip -n "$name" link add lower type bridge
ip -n "$name" link set lower up
vm() {
    printf '{"networking":{"hostName":"%s"},"microvm":{"interfaces":[{"type":"tap","id":"vm-%s1","mac":"02:00:00:00:0%s:01","bridge":"lower"},{"type":"macvtap","id":"vm-%s2","mac":"02:00:00:00:0%s:02","macvtap":{"link":"lower","mode":"bridge"}}]}}' "$1" "$1" "$1" "$1" "$1" >"$work/$1.json"
}
owner_a=$attacker_user owner_b=64125
vm a
vm b
sed -i 's/"type":"macvtap","id":"vm-b2"/"type":"tap","id":"vm-b2"/;s/,"macvtap":{[^}]*}//' "$work/b.json"
cat >"$work/steps" <<STEPS
set -euo pipefail
# /dev/net/tun as udev makes it: anybody may open it.
mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200
"$microvm" up --netns "$name" --user "$owner_a" "$work/a.json" >/dev/null
"$microvm" up --netns "$name" --user "$owner_b" "$work/b.json" >/dev/null
as() { nsenter --net="/run/netns/$name" setpriv --reuid "\$1" --regid "\$1" --clear-groups --no-new-privs -- "\${@:2}" 2>>"$work/refusals"; }
reached() { echo "reached: \$*" >&2; exit 1; }
node=/dev/tap\$(ip -n "$name" -o link show vm-a2 | cut -d: -f1)
# Their own they can open: so what follows can fail.
as $owner_a perl -e 'open(my \$f, "+<", "/dev/net/tun") or exit 1; my \$r = pack("Z16 S x22", "vm-a1", 0x5002); exit(ioctl(\$f, 0x400454ca, \$r) ? 0 : 1)' || reached "the owner can't open the tap: \$(cat "$work/refusals")"
as $owner_a perl -e 'open(my \$f, "+<", \$ARGV[0]) or exit 1' "\$node" || reached "the owner can't open the node \$node: \$(cat "$work/refusals")"
# What the kernel finds out by itself a moment later is left out.
links() { ip -n "$name" -d -o link | sed "s/<[^>]*>//;s/ state [A-Z]*//;s/ fwd_delay.*port_no/ port_no/;s/_timer *[0-9.]*//g;s/bridge_slave state [a-z]*//" | sort; }
before=\$(links)
for who in $owner_b 64126 65534; do
    ! as \$who perl -e 'open(my \$f, "+<", "/dev/net/tun") or exit 1; my \$r = pack("Z16 S x22", "vm-a1", 0x5002); exit(ioctl(\$f, 0x400454ca, \$r) ? 0 : 1)' || reached "user \$who opened another's tap"
    for mode in '<' '+<' '>'; do ! as \$who perl -e 'open(my \$f, \$ARGV[1], \$ARGV[0]) or exit 1' "\$node" "\$mode" || reached "user \$who opened another's node (\$mode)"; done
    ! as \$who chmod 666 "\$node" || reached "user \$who opened the node to everybody"
    for change in 'set vm-a1 down' 'set vm-a1 nomaster' 'set vm-a1 address 02:00:00:00:00:99' 'set vm-a2 name mine' 'delete vm-a1' 'delete vm-a2'; do
        ! as \$who ip link \$change || reached "user \$who did: ip link \$change"
    done
    ! as \$who perl -MSocket -e 'socket(my \$s, 17, SOCK_RAW, 0x0300) or exit 1' || reached "user \$who listens to all frames"
    ! as \$who "$microvm" down "$work/a.json" >/dev/null || reached "user \$who took the VM's links down"
    ! as \$who "$microvm" capture --count 1 vm-a1 >/dev/null || reached "user \$who captures"
done
[ "\$(links)" = "\$before" ] || reached "a link was changed: \$(diff <(echo "\$before") <(links))"
STEPS
unshare --mount bash "$work/steps"

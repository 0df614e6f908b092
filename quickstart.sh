#!/usr/bin/env bash
# Shows the way from a declaration to a VM that answers over its tap and reaches a server outside, in network namespaces of
# their own: one is the host, the other the outside. It leaves nothing behind but out/, whether it ends, fails, or is interrupted.
#   MICROVM_BINARY=FILE     this microvm, instead of building out/microvm
#   QUICKSTART_WAIT=SECONDS how long the guest has to answer (60)
set -euo pipefail
cd "$(dirname "$0")"
. scripts/need.sh
as_root "it makes network namespaces and a tap in one"
[ -n "${MICROVM_BINARY:-}" ] || sdk

# Each in a process group of its own, so that an end to one is an end to all that it started.
set -m
checkout=$PWD work= ns= out= vm= server= part= first=
clean_up() {
    trap '' INT TERM HUP
    local group
    for group in $part $vm $server; do
        kill -- "-$group" 2>/dev/null || continue
        for _ in $(seq 50); do kill -0 -- "-$group" 2>/dev/null || break; sleep 0.1; done
        kill -KILL -- "-$group" 2>/dev/null || true
    done
    wait
    # The network's dnsmasq outlives the command that started it.
    [ -z "$ns" ] || "$microvm" down --netns "$ns" --delete-running "$checkout/examples/quickstart.nix" >/dev/null 2>&1 || true
    [ -z "$ns" ] || ip netns del "$ns"
    [ -z "$out" ] || ip netns del "$out"
    # `ip netns add` mounts the folder of the names, once. Where it did so for us, and nobody has made another since, it goes.
    [ -z "$first" ] || { umount -n /run/netns && rmdir /run/netns; } 2>/dev/null || true
    [ -z "$work" ] || rm -rf "$work"
    hand_back
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
work=$(mktemp -d)
# Waited for in the background, where a signal is heard at once and not only at the end of a long build.
run() {
    "$@" </dev/null &
    part=$!
    wait "$part" || { part=; return 1; }
    part=
}
fail() {
    echo "$0: $1" >&2
    exit 1
}
step() {
    echo "== microvm $*"
    "$microvm" "$@"
}

need ip=iproute2 ping=iputils-ping qemu-system-x86_64=qemu-system-x86 nix-instantiate=nix-bin nft=nftables dnsmasq=dnsmasq-base busybox=busybox-static
microvm=$(realpath -m "${MICROVM_BINARY:-out/microvm}")
if [ -z "${MICROVM_BINARY:-}" ]; then
    # No server of the build's stays for the next one.
    run env TMPDIR="$work" MSBUILDDISABLENODEREUSE=1 DOTNET_CLI_USE_MSBUILD_SERVER=0 UseSharedCompilation=false ./build.sh ||
        fail "out/microvm could not be built: see the errors above."
fi
run env TMPDIR="$work" ./guest/build.sh || fail "the guest could not be built: see the errors above."

[ -d /run/netns ] || first=yes
ip netns add "microvm-quick-$$"
ns=microvm-quick-$$
# What a host has already: a card with an address and a default route. Behind it, in place of the Internet, a web server.
ip netns add "microvm-quick-out-$$"
out=microvm-quick-out-$$
ip -n "$ns" link add eth0 type veth peer name eth0 netns "$out"
ip -n "$ns" address add 203.0.113.10/24 dev eth0
ip -n "$out" address add 203.0.113.1/24 dev eth0
ip -n "$ns" link set eth0 up
ip -n "$out" link set eth0 up
ip -n "$ns" route add default via 203.0.113.1
mkdir "$work/www"
echo 'hello from outside' >"$work/www/index.html"
ip netns exec "$out" busybox httpd -f -p 203.0.113.1:80 -h "$work/www" &
server=$!
# Its end is no news: bash would tell of it in the middle of ours.
disown "$server"
step check examples/quickstart.nix
step plan --netns "$ns" examples/quickstart.nix
step up --netns "$ns" examples/quickstart.nix
address=$("$microvm" ip --netns "$ns" quickstart | head -n 1)
echo "== microvm run --netns $ns examples/quickstart.nix   (its console: out/quickstart.log)"
mkdir -p out
# Its control socket is made where it starts, and behind sudo the VM runs as the caller.
chmod 711 "$work"
install -d -o "${SUDO_UID:-0}" -g "${SUDO_GID:-0}" "$work/vm"
(cd "$work/vm" && exec "$microvm" run --netns "$ns" "$checkout/examples/quickstart.nix") </dev/null >out/quickstart.log 2>&1 &
vm=$!
limit=$((SECONDS + ${QUICKSTART_WAIT:-60}))
until ip netns exec "$ns" ping -c 1 -W 1 "$address" >/dev/null 2>&1 && grep -q 'guest: fetched hello' out/quickstart.log; do
    why=
    kill -0 "$vm" 2>/dev/null || why="the VM ended before it answered"
    [ "$SECONDS" -lt "$limit" ] || why="the guest did not answer in ${QUICKSTART_WAIT:-60} s (on a slow machine: QUICKSTART_WAIT=300 $0)"
    if [ -n "$why" ]; then
        tail -n 5 out/quickstart.log >&2
        fail "$why: look at out/quickstart.log, and run: out/microvm doctor"
    fi
    sleep 0.2
done
echo "== the guest has an address by DHCP, and reached the server outside"
tr -d '\r' <out/quickstart.log | grep -a -o 'guest: leased.*\|guest: fetched.*'
echo "== the guest answers at $address   (microvm ip quickstart)"
ip netns exec "$ns" ping -c 3 -i 0.2 "$address"
echo "== microvm shutdown examples/quickstart.nix"
(cd "$work/vm" && "$microvm" shutdown "$checkout/examples/quickstart.nix")
wait "$vm" || true
vm=
step down --netns "$ns" examples/quickstart.nix
cat <<END
== It works: a VM was declared, got its tap and a network, booted, reached the outside and answered;
   nothing of it is left.
   The binary is out/microvm. To have it on the PATH:
       sudo install -m 755 out/microvm /usr/local/bin/microvm
   Next: docs/getting-started.md
END

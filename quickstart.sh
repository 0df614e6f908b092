#!/usr/bin/env bash
# Shows the way from a declaration to a VM that answers over its tap, in a network namespace of its own. It leaves nothing
# behind but out/, whether it ends, fails, or is interrupted.
#   MICROVM_BINARY=FILE     this microvm, instead of building out/microvm
#   QUICKSTART_WAIT=SECONDS how long the guest has to answer (60)
set -euo pipefail
cd "$(dirname "$0")"
. scripts/need.sh
as_root "it makes a network namespace and a tap in it"
[ -n "${MICROVM_BINARY:-}" ] || sdk

# Each in a process group of its own, so that an end to one is an end to all that it started.
set -m
checkout=$PWD work= ns= vm= part= first=
clean_up() {
    trap '' INT TERM HUP
    local group
    for group in $part $vm; do
        kill -- "-$group" 2>/dev/null || continue
        for _ in $(seq 50); do kill -0 -- "-$group" 2>/dev/null || break; sleep 0.1; done
        kill -KILL -- "-$group" 2>/dev/null || true
    done
    wait
    [ -z "$ns" ] || ip netns del "$ns"
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

need ip=iproute2 ping=iputils-ping qemu-system-x86_64=qemu-system-x86 nix-instantiate=nix-bin nft=nftables dnsmasq=dnsmasq-base
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
step check examples/quickstart.nix
step plan --netns "$ns" examples/quickstart.nix
step up --netns "$ns" examples/quickstart.nix
ip -n "$ns" addr add 10.0.9.1/24 dev vm-a1
echo "== microvm run --netns $ns examples/quickstart.nix   (its console: out/quickstart.log)"
mkdir -p out
# Its control socket is made where it starts, and behind sudo the VM runs as the caller.
chmod 711 "$work"
install -d -o "${SUDO_UID:-0}" -g "${SUDO_GID:-0}" "$work/vm"
(cd "$work/vm" && exec "$microvm" run --netns "$ns" "$checkout/examples/quickstart.nix") </dev/null >out/quickstart.log 2>&1 &
vm=$!
limit=$((SECONDS + ${QUICKSTART_WAIT:-60}))
until ip netns exec "$ns" ping -c 1 -W 1 10.0.9.2 >/dev/null 2>&1; do
    why=
    kill -0 "$vm" 2>/dev/null || why="the VM ended before it answered"
    [ "$SECONDS" -lt "$limit" ] || why="the guest did not answer in ${QUICKSTART_WAIT:-60} s (on a slow machine: QUICKSTART_WAIT=300 $0)"
    if [ -n "$why" ]; then
        tail -n 5 out/quickstart.log >&2
        fail "$why: look at out/quickstart.log, and run: out/microvm doctor"
    fi
    sleep 0.2
done
echo "== the guest answers"
ip netns exec "$ns" ping -c 3 -i 0.2 10.0.9.2
echo "== microvm shutdown examples/quickstart.nix"
(cd "$work/vm" && "$microvm" shutdown "$checkout/examples/quickstart.nix")
wait "$vm" || true
vm=
step down --netns "$ns" examples/quickstart.nix
cat <<END
== It works: a VM was declared, got its tap, booted and answered; nothing of it is left.
   The binary is out/microvm. To have it on the PATH:
       sudo install -m 755 out/microvm /usr/local/bin/microvm
   Next: docs/getting-started.md
END

#!/usr/bin/env bash
# Shows the way from a declaration to a tap in a network namespace of its own, and leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")"
. scripts/need.sh
need ip=iproute2 ping=iputils-ping qemu-system-x86_64=qemu-system-x86 nix-instantiate=nix-bin
echo "== building out/microvm"
./build.sh
echo "== building the guest"
./guest/build.sh
ns="microvm-quick-$$"
vm=
ip netns add "$ns"
trap '[ -z "$vm" ] || kill "$vm" 2>/dev/null || true; ip netns del "$ns"' EXIT
step() {
    echo "== microvm $*"
    out/microvm "$@"
}
step check examples/quickstart.nix
step plan --netns "$ns" examples/quickstart.nix
step up --netns "$ns" examples/quickstart.nix
ip -n "$ns" addr add 10.0.9.1/24 dev vm-a1
echo "== microvm run --netns $ns examples/quickstart.nix"
out/microvm run --netns "$ns" examples/quickstart.nix </dev/null >out/quickstart.log &
vm=$!
for _ in $(seq 100); do
    if ip netns exec "$ns" ping -c 1 -W 1 10.0.9.2 >/dev/null 2>&1; then break; fi
    sleep 0.2
done
ip netns exec "$ns" ping -c 3 -i 0.2 10.0.9.2
kill "$vm"
wait "$vm" || true
vm=
step down --netns "$ns" examples/quickstart.nix

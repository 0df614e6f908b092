#!/usr/bin/env bash
# Draws docs/screens/*.svg from real runs of out/microvm in a network namespace of its own, with two guests in it that
# answer pings from a second one. Needs root, and what quickstart.sh needs.
set -euo pipefail
cd "$(dirname "$0")/.."
microvm=${MICROVM_BINARY:-$PWD/out/microvm}
./guest/build.sh
dotnet build tools/Screens -c Release --nologo -v quiet
screens=$PWD/tools/Screens/bin/Release/net10.0/Screens
guest=$PWD/out/guest
out=$PWD/docs/screens
ns=mvscreens-$$
work=$(mktemp -d)
pids=()
finish() {
    [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true
    wait
    ip netns del "$ns-lan" 2>/dev/null || true
    ip netns del "$ns" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
mkdir -p "$out"
cd "$work"
ip netns add "$ns"
ip netns add "$ns-lan"
ip -n "$ns" link add eth0 type veth peer name far netns "$ns-lan"
ip -n "$ns" link add eth1 type veth peer name far1 netns "$ns-lan"
ip -n "$ns" link add br0 type bridge
ip -n "$ns" link set eth0 master br0
for link in eth0 eth1 br0; do ip -n "$ns" link set "$link" up; done
for link in far far1; do ip -n "$ns-lan" link set "$link" up; done
ip -n "$ns-lan" addr add 10.0.9.1/24 dev far

# Where the machine is busy and has no KVM, a guest can't measure the rate of its clock: it is told.
khz=$(sed -nE '/^cpu MHz/{s/.*: ([0-9]+)\..*/\1000/p;q}' /proc/cpuinfo)
boot="  microvm.kernel = \"$guest/vmlinuz\";
  microvm.initrdPath = \"$guest/initrd\";"
cat >web.nix <<NIX
{
  networking.hostName = "web";
  microvm.vcpu = 2;
$boot
  microvm.kernelParams = [ "guestip=10.0.9.11/24" "seconds=600" "tsc_early_khz=${khz:-2500000}" "tsc=reliable" ];
  microvm.interfaces = [
    { type = "tap"; id = "vm-web"; mac = "02:00:00:00:00:01"; bridge = "br0"; }
    { type = "tap"; id = "vm-web2"; mac = "02:00:00:00:00:02"; }
  ];
}
NIX
cat >db.nix <<NIX
{
  networking.hostName = "db";
$boot
  microvm.kernelParams = [ "guestip=10.0.9.12/24" "seconds=600" "tsc_early_khz=${khz:-2500000}" "tsc=reliable" ];
  microvm.interfaces = [ { type = "tap"; id = "vm-db"; mac = "02:00:00:00:00:11"; bridge = "br0"; } ];
}
NIX
cat >edge.nix <<NIX
{
  networking.hostName = "edge";
  microvm.hypervisor = "firecracker";
  microvm.interfaces = [ {
    type = "macvtap";
    id = "vm-edge";
    mac = "02:00:00:00:00:21";
    macvtap = { link = "eth1"; mode = "bridge"; };
  } ];
}
NIX
cat >bad.nix <<'NIX'
{
  networking.hostName = "web";
  microvm.interfaces = [
    { type = "tap"; id = "vm-web"; mac = "02:00:00:00:00:01"; brigde = "br0"; }
    { type = "tap"; id = "vm-web2"; mac = "03:00:00:00:00:02"; }
  ];
}
NIX
# show NAME COLUMNS SHOWN…: the screen of a command that ends. live NAME COLUMNS SECONDS SHOWN…: of one that goes on.
show() { "$screens" "$out/$1.svg" "$2" "microvm ${*:3}" 0 "" "$microvm" "$3" ${netns:+--netns "$netns"} "${@:4}"; }
live() { "$screens" "$out/$1.svg" "$2" "microvm ${*:4}" "$3" "" "$microvm" "$4" --netns "$ns" "${@:5}"; }

netns='' show check 120 check bad.nix
netns='' show explain 100 explain edge.nix
netns='' show topology 80 topology web.nix db.nix edge.nix
"$microvm" topology --svg web.nix db.nix edge.nix -o "$out/network.svg"
netns=$ns
"$microvm" up --netns "$ns" db.nix >/dev/null
show plan 90 plan web.nix db.nix edge.nix
show doctor 100 doctor edge.nix
"$microvm" up --netns "$ns" web.nix edge.nix >/dev/null
for vm in web db; do
    "$microvm" run --netns "$ns" "$vm.nix" </dev/null >"$vm.log" 2>&1 &
    pids+=($!)
done
n=0
for address in 10.0.9.11 10.0.9.12; do
    for _ in $(seq 200); do ip netns exec "$ns-lan" ping -c 1 -W 1 "$address" >/dev/null 2>&1 && break; sleep 0.2; done
    n=$((n + 1))
    ip netns exec "$ns-lan" ping -q -i "0.0$((n * 2))" -s $((1400 / n)) "$address" >/dev/null &
    pids+=($!)
done
live top 120 24 top --interval 0.5
live watch 120 5 status --watch web.nix db.nix edge.nix
ip -n "$ns" link set vm-db nomaster
ip -n "$ns" link delete vm-web2
show status 140 status web.nix db.nix edge.nix

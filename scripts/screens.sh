#!/usr/bin/env bash
# Draws docs/screens/*.svg from real runs of out/microvm in a network namespace of its own. Needs root.
set -euo pipefail
cd "$(dirname "$0")/.."
microvm=${MICROVM_BINARY:-$PWD/out/microvm}
dotnet build tools/Screens -c Release --nologo -v quiet
screens=$PWD/tools/Screens/bin/Release/net10.0/Screens
ns=mvscreens-$$
work=$(mktemp -d)
trap 'ip netns del "$ns" 2>/dev/null; rm -rf "$work"' EXIT
out=$PWD/docs/screens
mkdir -p "$out"
ip netns add "$ns"
ip -n "$ns" link add br0 type bridge
ip -n "$ns" link set br0 up
cat >"$work/web.nix" <<'NIX'
{
  networking.hostName = "web";
  microvm.vcpu = 2;
  microvm.interfaces = [
    { type = "tap"; id = "vm-web"; mac = "02:00:00:00:00:01"; bridge = "br0"; }
    { type = "tap"; id = "vm-web2"; mac = "02:00:00:00:00:02"; }
  ];
}
NIX
sed -e 's/"web"/"db"/; s/vm-web/vm-db/; s/:01"/:11"/; s/:02"/:12"/' -e '/vm-web2/d' "$work/web.nix" >"$work/db.nix"
sed 's/bridge = /brigde = /; s/02:00:00:00:00:02/03:00:00:00:00:02/' "$work/web.nix" >"$work/bad.nix"
cd "$work"
"$screens" "$out/check.svg" 110 "microvm check bad.nix" 0 "" "$microvm" check bad.nix
"$microvm" up --netns "$ns" db.nix >/dev/null
"$screens" "$out/plan.svg" 90 "microvm plan web.nix db.nix" 0 "" "$microvm" plan --netns "$ns" web.nix db.nix
"$microvm" up --netns "$ns" web.nix >/dev/null
ip -n "$ns" link set vm-db nomaster
"$screens" "$out/status.svg" 120 "microvm status web.nix db.nix" 0 "" "$microvm" status --netns "$ns" web.nix db.nix
"$screens" "$out/topology.svg" 80 "microvm topology web.nix db.nix" 0 "" "$microvm" topology web.nix db.nix
"$microvm" topology --svg web.nix db.nix -o "$out/network.svg"
"$screens" "$out/top.svg" 110 "microvm top" 4 "" "$microvm" top --netns "$ns" --interval 0.5

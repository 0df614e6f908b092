#!/usr/bin/env bash
# Measures microvm beside what a user would run instead, in namespaces of its own; prints a table and writes bench/results/.
#   bench/run.sh           all sizes, about ten minutes (the peers need most of it)
#   bench/run.sh --quick   up to 500 links, about two minutes
#   bench/run.sh --looking only what looks at 1,000, 4,000 and 10,000 links: status, metrics, topology
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/need.sh
need cc=gcc ip=iproute2 nix-instantiate=nix-bin /usr/bin/time=time setpriv=util-linux unshare=util-linux
[ -n "${BENCH_SKIP_BUILD:-}" ] || ./build.sh
mkdir -p out/bench
cc -O2 -Wall -Wextra -o out/bench/limit bench/limit/limit.c
cc -O2 -static -o out/bench/first bench/limit/first.c
dotnet build bench/Microvm.Bench -c Release --nologo -v quiet -o out/bench/runner
root=$PWD
# A network of our own needs a /sys that shows it; the lower device is one end of a veth pair.
exec unshare --net --mount bash -euc '
    mount -t sysfs sys /sys
    ip link set lo up
    ip link add low0 type veth peer name low1
    ip link set low0 up
    ip link set low1 up
    exec dotnet "$0/out/bench/runner/Microvm.Bench.dll" "$0/out/microvm" "$0/out/bench/limit" "$0/out/bench/first" "$@"
' "$root" "$root/bench/results" "$@"

#!/usr/bin/env bash
# Installs what the tests need, builds, and passes every test. Arguments go to the test runner.
set -euo pipefail
cd "$(dirname "$0")"
. scripts/need.sh
need ip=iproute2 tcpdump=tcpdump ping=iputils-ping qemu-system-x86_64=qemu-system-x86 nix-instantiate=nix-bin
./build.sh
./guest/build.sh
dotnet build tests/Microvm.Tests -c Release --nologo -v quiet
set +e
dotnet run --project tests/Microvm.Tests -c Release --no-build -- --no-ansi --progress off "$@" 2>&1 | tee out/test.log
code=${PIPESTATUS[0]}
passed=$(sed -nE 's/^ *succeeded: ([0-9]+).*/\1/p' out/test.log | tail -1)
failed=$(sed -nE 's/^ *failed: ([0-9]+).*/\1/p' out/test.log | tail -1)
echo "${passed:-0} passed, ${failed:-0} failed"
[ "${passed:-0}" -gt 0 ] || exit 1
exit "$code"

#!/usr/bin/env bash
# Installs what the tests need, builds, and passes every test.
set -euo pipefail
cd "$(dirname "$0")"
missing=()
command -v ip >/dev/null || missing+=(iproute2)
command -v qemu-system-x86_64 >/dev/null || missing+=(qemu-system-x86)
command -v ping >/dev/null || missing+=(iputils-ping)
command -v nix-instantiate >/dev/null || missing+=(nix-bin)
if [ ${#missing[@]} -gt 0 ]; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
./build.sh
./guest/build.sh
set +e
dotnet run --project tests/Microvm.Tests -c Release -- --no-ansi --progress off 2>&1 | tee out/test.log
code=${PIPESTATUS[0]}
passed=$(sed -nE 's/^ *succeeded: ([0-9]+).*/\1/p' out/test.log | tail -1)
failed=$(sed -nE 's/^ *failed: ([0-9]+).*/\1/p' out/test.log | tail -1)
echo "${passed:-0} passed, ${failed:-0} failed"
[ "${passed:-0}" -gt 0 ] || exit 1
exit "$code"

#!/usr/bin/env bash
# Builds the native binary: out/microvm.
set -euo pipefail
cd "$(dirname "$0")"
command -v clang >/dev/null || command -v gcc >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends gcc libc6-dev zlib1g-dev >/dev/null; }
[ -e /usr/include/zlib.h ] || { apt-get update -qq && apt-get install -y -qq --no-install-recommends zlib1g-dev >/dev/null; }
dotnet publish src/Microvm.Cli -c Release -r linux-x64 -o out --nologo -v quiet -p:DebugType=none

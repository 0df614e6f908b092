#!/usr/bin/env bash
# Builds the native binary: out/microvm.
set -euo pipefail
cd "$(dirname "$0")"
. scripts/need.sh
sdk
need cc=gcc /usr/include/stdio.h=libc6-dev /usr/include/zlib.h=zlib1g-dev
echo "== building out/microvm (a minute or two where it is the first time)"
exec dotnet publish src/Microvm.Cli -c Release -r linux-x64 -o out --nologo -v quiet -p:DebugType=none

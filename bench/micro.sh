#!/usr/bin/env bash
# Times the pure parts alone, and what they allocate: one netlink message, planning and reading at ten thousand links.
# Prints a table and writes bench/results/micro.md; about a minute. Arguments go to BenchmarkDotNet (--filter '*Planning*').
set -euo pipefail
cd "$(dirname "$0")/.."
rm -rf out/micro
dotnet run --project bench/Microvm.Micro -c Release -- --artifacts out/micro "${@:---filter=*}"
cp out/micro/results/*-report-github.md bench/results/micro.md
cat bench/results/micro.md

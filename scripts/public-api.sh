#!/usr/bin/env bash
# Writes what the packages' public API is now into their PublicAPI.Unshipped.txt: the diff is what a reviewer reads.
# The build fails where the two differ, so an API never changes unnoticed.
set -euo pipefail
cd "$(dirname "$0")/.."
for project in Declaration Linux Network; do
    folder=src/Microvm.$project
    [ -f "$folder/PublicAPI.Unshipped.txt" ] || continue
    echo '#nullable enable' >"$folder/PublicAPI.Unshipped.txt"
    # Wide lines: the compiler's messages name the symbols, and a terminal logger would cut them.
    api=$(dotnet build "$folder" -c Release --nologo --no-incremental -tl:off -p:TreatWarningsAsErrors=false 2>/dev/null |
        sed -nE "s/.*warning RS0016: Symbol '(.*)' is not part of the declared.*/\1/p" | LC_ALL=C sort -u)
    printf '%s\n' "$api" | grep . >>"$folder/PublicAPI.Unshipped.txt" || true
    echo "$folder: $(grep -vc '^#' "$folder/PublicAPI.Unshipped.txt") members"
done

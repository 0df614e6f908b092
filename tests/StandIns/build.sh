#!/usr/bin/env bash
# Builds the stand-ins into DIR/bin (default: out/standins/bin), so that DIR is a package of each: microvm.crosvm.package and the like,
# or PATH=DIR/bin:$PATH. Builds nothing that is newer than its sources.
set -euo pipefail
cd "$(dirname "$0")"
to=${1:-../../out/standins}
mkdir -p "$to/bin"
for source in alioth.c cloud-hypervisor.c crosvm.c firecracker.c lkvm.c stratovirt.c; do
    program=$to/bin/${source%.c}
    newest=$(ls -t *.c *.h build.sh | head -1)
    [ ! "$program" -nt "$newest" ] || continue
    more=$(grep -q '"http.h"' "$source" && echo http.c || true)
    gcc -O1 -Wall -Wextra -Werror -Wno-format-truncation -o "$program.$$" "$source" standin.c $more
    mv "$program.$$" "$program"
done

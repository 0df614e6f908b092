#!/usr/bin/env bash
# Builds the stand-ins into DIR/bin (default: out/standins/bin), so that DIR is a package of each: microvm.crosvm.package and the like,
# or PATH=DIR/bin:$PATH. Builds nothing that is newer than its sources.
set -euo pipefail
cd "$(dirname "$0")"
to=${1:-../../out/standins}
mkdir -p "$to/bin" "$to/plain/bin"
build() {
    local program=$1 newest
    shift
    newest=$(ls -t *.c *.h build.sh | head -1)
    [ ! "$program" -nt "$newest" ] || return 0
    gcc -O1 -Wall -Wextra -Werror -Wno-format-truncation -o "$program.$$" "$@" standin.c http.c
    mv "$program.$$" "$program"
}
for source in alioth.c cloud-hypervisor.c crosvm.c firecracker.c lkvm.c stratovirt.c; do
    build "$to/bin/${source%.c}" "$source"
done
build "$to/plain/bin/stratovirt" -DPLAIN stratovirt.c

#!/usr/bin/env bash
# Fetches published `lib`s of nixpkgs, for the stand-in to be compared with: the newest known in out/nixpkgs-lib, and in
# out/nixpkgs-lib-2024 one that nix 2.8 takes as its nixpkgs. 8 MB each, and only ./test.sh --all does it. Where they can't be had,
# what needs them is skipped, and says so.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/need.sh
need git=git
fetch() {
    local to=$PWD/out/$1
    [ ! -e "$to/lib/default.nix" ] || return 0
    rm -rf "$to"
    git init -q "$to"
    GIT_TERMINAL_PROMPT=0 timeout 120 git -C "$to" fetch -q --depth 1 "${MICROVM_TEST_NIXPKGS_LIB_FROM:-https://github.com/nix-community/nixpkgs.lib}" "$2" && git -C "$to" checkout -q FETCH_HEAD && return 0
    rm -rf "$to"
    echo "$0: nixpkgs.lib could not be fetched: what compares with $1 is skipped" >&2
}
fetch nixpkgs-lib de42d44212d207476489bce163375d8306a26d59
fetch nixpkgs-lib-2024 64f69a191a01cb3effd0687ff0ce728a2dcca9a6

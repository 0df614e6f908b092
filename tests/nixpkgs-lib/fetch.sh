#!/usr/bin/env bash
# Fetches a published `lib` of nixpkgs into out/nixpkgs-lib, for the stand-in to be compared with: 8 MB, and only
# ./test.sh --all does it. Where it can't be had, the comparison is skipped, and says so.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/need.sh
need git=git
to=$PWD/out/nixpkgs-lib
revision=de42d44212d207476489bce163375d8306a26d59
[ ! -e "$to/lib/default.nix" ] || exit 0
rm -rf "$to"
git init -q "$to"
GIT_TERMINAL_PROMPT=0 timeout 120 git -C "$to" fetch -q --depth 1 "${MICROVM_TEST_NIXPKGS_LIB_FROM:-https://github.com/nix-community/nixpkgs.lib}" "$revision" && git -C "$to" checkout -q FETCH_HEAD && exit 0
rm -rf "$to"
echo "$0: nixpkgs.lib could not be fetched: the comparison of the stand-in's lib is skipped" >&2

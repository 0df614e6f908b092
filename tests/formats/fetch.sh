#!/usr/bin/env bash
# Fetches what reads our formats for real, into out/formats: promtool of Debian's prometheus (taken out of the package, so
# that no server is installed) and npm's mermaid with node. About 200 MB, so only ./test.sh --all does it.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/need.sh
to=$PWD/out/formats
mkdir -p "$to"
if [ ! -x "$to/promtool" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    download() { apt-get download -qq -o APT::Sandbox::User=root prometheus; }
    (cd "$work" && { download 2>/dev/null || { apt-get update -qq && download; } } && dpkg -x prometheus_*.deb .)
    mv "$work/usr/bin/promtool" "$to/promtool"
fi
cp tests/formats/package.json tests/formats/mermaid.js "$to/"
if [ ! -d "$to/node_modules/mermaid" ]; then
    need npm=npm
    (cd "$to" && npm install --no-audit --no-fund --silent)
fi

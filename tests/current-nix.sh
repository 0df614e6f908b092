#!/usr/bin/env bash
# current-nix.sh DIRECTORY: the newest nix that Debian has (sid's), for the tests to be passed with as well as with the one that is
# installed. DIRECTORY/bin has its programs, to be put in front of PATH. They run with the libraries of their own Debian, and
# nothing is installed here.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/need.sh
need debootstrap=debootstrap
to=$(realpath -m "$1")
if [ ! -e "$to/bin/nix-instantiate" ]; then
    rm -rf "$to"
    mkdir -p "$to/root" "$to/bin"
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m 1 '/debian/$' || echo http://deb.debian.org/debian/)
    # Only the packages: sid is not always whole enough to be set up, and its programs need no more than to be unpacked.
    debootstrap --download-only --variant=minbase --include=nix-bin sid "$to/packages" "$mirror" >&2
    for package in "$to"/packages/var/cache/apt/archives/*.deb; do
        dpkg -x "$package" "$to/root"
    done
    rm -rf "$to/packages"
    for program in nix nix-store nix-instantiate; do
        # Through the loader, since the libraries of this machine are older. nix knows by its name which program it is.
        printf '#!/bin/sh\nexec %s --library-path %s --argv0 %s %s "$@"\n' "$to/root/usr/lib64/ld-linux-x86-64.so.2" \
            "$to/root/usr/lib/x86_64-linux-gnu" "$program" "$to/root/usr/bin/nix" > "$to/bin/$program"
        chmod 755 "$to/bin/$program"
    done
fi
"$to/bin/nix-instantiate" --version

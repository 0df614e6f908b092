#!/usr/bin/env bash
# Builds out/microvm_VERSION_ARCH.deb from out/microvm: the binary, its units, man pages, completions and docs.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -x out/microvm ] || ./build.sh
version=$(sed -nE 's:.*<Version>(.*)</Version>.*:\1:p' Directory.Build.props)
arch=$(dpkg --print-architecture)
# Below sudo, what is written would be written with the caller's rights.
unset SUDO_UID SUDO_GID SUDO_USER
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
install -D -m 755 out/microvm "$root/usr/bin/microvm"
out/microvm host install --root "$root" --prefix /usr >/dev/null
mkdir -p "$root/usr/share/man/man1" "$root/usr/share/doc/microvm"
out/microvm man --output "$root/usr/share/man/man1" >/dev/null 2>&1 || out/microvm man >"$root/usr/share/man/man1/microvm.1"
gzip -9n "$root"/usr/share/man/man1/*.1
for shell in bash:usr/share/bash-completion/completions/microvm zsh:usr/share/zsh/vendor-completions/_microvm fish:usr/share/fish/vendor_completions.d/microvm.fish; do
    mkdir -p "$root/$(dirname "${shell#*:}")"
    out/microvm completions "${shell%%:*}" >"$root/${shell#*:}"
done
cp README.md "$root/usr/share/doc/microvm/"
cp -r docs "$root/usr/share/doc/microvm/"
gzip -9nc CHANGELOG.md >"$root/usr/share/doc/microvm/changelog.gz"
{
    cat <<'COPYRIGHT'
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: Microvm.Net

Files: *
Copyright: 2026 The Microvm.Net authors
License: Expat
COPYRIGHT
    # Debian's name of this one of MIT's licences; its text, indented, with a dot for each empty line.
    sed -n '5,$s/^/ /p' LICENSE | sed 's/^ $/ ./'
} >"$root/usr/share/doc/microvm/copyright"
mkdir "$root/DEBIAN"
(cd "$root" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
cat >"$root/DEBIAN/control" <<CONTROL
Package: microvm
Version: $version
Architecture: $arch
Maintainer: The Microvm.Net authors <microvm@localhost>
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f1)
Depends: libc6 (>= 2.34), systemd
Recommends: qemu-system-x86
Suggests: nix-bin
Section: admin
Priority: optional
Description: network interfaces of MicroVMs, declared
 Makes the tap and macvtap interfaces of MicroVMs from a declaration in Nix
 or JSON, starts their hypervisors, and keeps many of them under systemd.
CONTROL
cat >"$root/DEBIAN/postinst" <<'SCRIPT'
#!/bin/sh
set -e
if [ "$1" = configure ]; then
    systemd-sysusers microvm.conf
    systemd-tmpfiles --create microvm.conf || true
    # VMs of an earlier version: what steers them goes to where only root writes. Those that run go on.
    /usr/bin/microvm host move || true
    [ ! -d /run/systemd/system ] || systemctl daemon-reload
fi
SCRIPT
cat >"$root/DEBIAN/prerm" <<'SCRIPT'
#!/bin/sh
set -e
# Our lines of bridge.conf and the drop-ins follow the VMs; without the binary nobody keeps them.
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
    systemctl stop 'microvm@*.service' || true
fi
[ "$1" != remove ] || /usr/bin/microvm host release-configuration
SCRIPT
cat >"$root/DEBIAN/postrm" <<'SCRIPT'
#!/bin/sh
set -e
[ ! -d /run/systemd/system ] || systemctl daemon-reload
if [ "$1" = purge ]; then
    # VMs with their disks are their owner's: an empty directory only is ours.
    rm -f /var/lib/microvms/.host/lock
    rmdir /var/lib/microvms/.host /var/lib/microvms /run/microvm 2>/dev/null || true
    # The account is ours; the group kvm is shared with other packages (qemu, udev) and stays.
    ! getent passwd microvm >/dev/null || userdel microvm 2>/dev/null || true
    ! getent group microvm >/dev/null || groupdel microvm 2>/dev/null || true
fi
SCRIPT
chmod 755 "$root"/DEBIAN/p*
chmod -R u=rwX,go=rX "$root"
dpkg-deb --root-owner-group --build "$root" "out/microvm_${version}_$arch.deb" >/dev/null
echo "out/microvm_${version}_$arch.deb"

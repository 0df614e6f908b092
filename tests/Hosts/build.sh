#!/usr/bin/env bash
# Makes out/host/{vmlinuz,initrd,modules}: Debian's stock kernel with its modules, and an initrd that boots this machine's own files on it.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$PWD/out/host
. scripts/need.sh
need gcc=gcc /usr/include/linux/vm_sockets.h=linux-libc-dev apt-cache=apt dpkg=dpkg cpio=cpio busybox=busybox-static
[ -e out/guest/modules/order ] || ./guest/build.sh
tests/Hosts/ssh-guest.sh "$out/ssh"
if [ -e "$out/vmlinuz" ] && [ "$out/initrd" -nt tests/Hosts/init ] && [ "$out/initrd" -nt tests/Hosts/build.sh ]; then exit 0; fi
need apt-cache=apt dpkg=dpkg cpio=cpio busybox=busybox-static depmod=kmod
apt-cache show linux-image-amd64 >/dev/null 2>&1 || apt-get update -qq
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
package=$(apt-cache depends linux-image-amd64 | sed -nE 's/.*Depends: (linux-image-.*)/\1/p' | head -1)
echo "== building the host (downloads Debian's stock kernel, $package, about 70 MB)"
(cd "$work" && apt-get -o APT::Sandbox::User=root download -qq "$package" >/dev/null && dpkg -x "$package"_*.deb root)
version=$(cd "$work/root/lib/modules" && echo *)
depmod -b "$work/root" "$version"
# Of the modules, the initrd has what it takes to reach the rest.
mkdir -p "$work"/initrd/{bin,proc,sys,dev,lower,upper,new}
cp "$(command -v busybox)" "$work/initrd/bin/busybox"
{ for module in virtio_pci virtio_console 9pnet_virtio 9p overlay; do
    depends=$(sed -nE "s,^([^:]*/$module\.ko): *(.*),\2 \1,p" "$work/root/lib/modules/$version/modules.dep")
    # The last named is needed first.
    set -- $depends
    own=${!#}
    for ((n = $# - 1; n > 0; n--)); do echo "${!n}"; done
    echo "$own"
done; } | awk '!seen[$0]++' | while read -r path; do
    cp "$work/root/lib/modules/$version/$path" "$work/initrd/"
    echo "/${path##*/}"
done > "$work/load"
cp "$work/load" "$work/initrd/load"
cp tests/Hosts/init "$work/initrd/init"
chmod 755 "$work/initrd/init"
(cd "$work/initrd" && find . | cpio -o -H newc --quiet | gzip -1) > "$out/initrd.new"
rm -rf "$out/modules"
mv "$work/root/lib/modules" "$out/modules"
cp "$work"/root/boot/vmlinuz-* "$out/vmlinuz"
mv "$out/initrd.new" "$out/initrd"

#!/usr/bin/env bash
# Builds out/guest/{vmlinuz,initrd}: Debian's cloud kernel, its virtio-net modules and busybox, to boot in a second or two.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$PWD/out/guest
if [ -e "$out/vmlinuz" ] && [ "$out/initrd" -nt guest/init ] && [ "$out/initrd" -nt guest/lease ] && [ "$out/initrd" -nt guest/build.sh ] && [ -e "$out/modules/order" ]; then exit 0; fi
. scripts/need.sh
need apt-cache=apt dpkg=dpkg cpio=cpio busybox=busybox-static
echo "== building the guest (downloads Debian's cloud kernel, about 30 MB)"
apt-cache show linux-image-cloud-amd64 >/dev/null 2>&1 || apt-get update -qq
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
package=$(apt-cache depends linux-image-cloud-amd64 | sed -nE 's/.*Depends: (linux-image-.*)/\1/p' | head -1)
(cd "$work" && apt-get -o APT::Sandbox::User=root download -qq "$package" >/dev/null && dpkg -x "$package"_*.deb root)
mkdir -p "$work/initrd"/{bin,modules,proc,sys,dev}
cp "$(command -v busybox)" "$work/initrd/bin/busybox"
for module in virtio_ring virtio virtio_mmio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci failover net_failover virtio_net virtio_balloon evdev button fuse virtiofs; do
    found=$(find "$work/root/lib/modules" -name "$module.ko" -print -quit)
    [ -n "$found" ] || { echo "guest: the kernel package has no module $module" >&2; exit 1; }
    cp "$found" "$work/initrd/modules/"
done
# For a guest of another kind that boots this kernel (tests/Hosts/ssh-guest.sh).
rm -rf "$out/modules"
mkdir "$out/modules"
for module in virtio_ring virtio virtio_mmio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci vsock vmw_vsock_virtio_transport_common vmw_vsock_virtio_transport; do
    cp "$(find "$work/root/lib/modules" -name "$module.ko" -print -quit)" "$out/modules/"
    echo "$module.ko"
done > "$work/order"
cp "$work/order" "$out/modules/order"
cp guest/init "$work/initrd/init"
cp guest/lease "$work/initrd/bin/lease"
chmod 755 "$work/initrd/init" "$work/initrd/bin/lease"
(cd "$work/initrd" && find . | cpio -o -H newc --quiet | gzip -1) > "$out/initrd.new"
cp "$work"/root/boot/vmlinuz-* "$out/vmlinuz"
mv "$out/initrd.new" "$out/initrd"

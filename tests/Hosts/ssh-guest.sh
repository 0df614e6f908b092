#!/usr/bin/env bash
# ssh-guest.sh DIR: makes DIR/initrd, a guest for the kernel of out/guest whose sshd listens on vsock, DIR/root, its files, and DIR/key, which logs in to it.
# Debian's own sshd, unpacked, not installed: an installed one would be started here.
set -euo pipefail
cd "$(dirname "$0")"
out=$1
if [ -e "$out/key" ] && [ "$out/key" -nt ssh-guest.sh ] && [ "$out/key" -nt listen.c ] && [ "$out/key" -nt guest-init ]; then exit 0; fi
rm -rf "$out"
mkdir -p "$out"
out=$(cd "$out" && pwd)
root=$out/root
mkdir -p "$root"/{bin,etc,lib,lib64,modules,proc,sys,dev,run,root/.ssh,usr/sbin,var/empty}
echo "== building a guest with sshd (downloads openssh-server, 1 MB)"
apt-cache show openssh-server >/dev/null 2>&1 || apt-get update -qq
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
(cd "$work" && apt-get -o APT::Sandbox::User=root download -qq openssh-server libwrap0 >/dev/null && for package in *.deb; do dpkg -x "$package" unpacked; done)
gcc -O1 -Wall -Wextra -Werror -static -o "$root/bin/listen" listen.c
cp "$(command -v busybox)" "$root/bin/busybox"
for applet in sh id; do ln -s busybox "$root/bin/$applet"; done
cp "$work/unpacked/usr/sbin/sshd" "$root/usr/sbin/sshd"
libraries=$work/unpacked/usr/lib/$(gcc -print-multiarch)
LD_LIBRARY_PATH=$libraries ldd "$root/usr/sbin/sshd" | sed -nE 's,.*(=> |	)(/[^ ]*) .*,\2,p' | while read -r library; do
    # The loader's own path stands in the program; it looks for the others in /lib.
    case $library in /lib64/*) cp -L "$library" "$root/lib64/" ;; *) cp -L "$library" "$root/lib/" ;; esac
done
# PAM wants a configuration that the guest has not, and libc its files of users in /etc.
printf 'root:*:0:0::/root:/bin/sh\nsshd:*:100:65534::/var/empty:/bin/sh\n' > "$root/etc/passwd"
printf 'root:x:0:\n' > "$root/etc/group"
printf 'passwd: files\ngroup: files\n' > "$root/etc/nsswitch.conf"
printf 'HostKey /etc/key\nUsePAM no\nAuthorizedKeysFile /root/.ssh/authorized_keys\nStrictModes no\n' > "$root/etc/sshd_config"
ssh-keygen -q -t ed25519 -N '' -f "$root/etc/key"
cp guest-init "$root/init"
chmod 755 "$root/init"
chmod 700 "$root/root/.ssh"
cp ../../out/guest/modules/* "$root/modules/"
ssh-keygen -q -t ed25519 -N '' -f "$out/key.new"
mv "$out/key.new.pub" "$root/root/.ssh/authorized_keys"
(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) > "$out/initrd"
mv "$out/key.new" "$out/key"

#!/usr/bin/env bash
# Walks a new user's way on a clean Debian that has no more than the .NET SDK, git and sudo: walk.sh SYSTEM
# Clones the checkout's last commit there, runs quickstart.sh as an ordinary user with sudo, and types every command of
# docs/getting-started.md in order, also those that no other test runs, with the files that the page shows and none else.
# SYSTEM is a directory with a minimal bookworm; debootstrap makes it where it is missing. It is only read.
# WALK_THEN='COMMANDS' are typed at the end, in the checkout, with the network still there (./test.sh, say).
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
. tests/debian.sh
if [ "${2:-}" != unshared ]; then
    debian "$1"
    exec unshare --mount --pid --fork --kill-child --propagation private -- "$0" "$(readlink -f "$1")" unshared
fi
work=$(mktemp -d)
trap 'umount -l "$work/root" "$work/sdk/root" 2>/dev/null || true; rm -rf --one-file-system "$work"' EXIT
throw_away "$work" "$1"
root=$work/root
mount -t tmpfs run "$root/run"
mount -t sysfs sysfs "$root/sys"
# As udev leaves it; on a machine without udev everybody but root is shut out.
mknod -m 666 "$work/tun" c 10 200
chmod 666 "$work/tun"
mount --bind "$work/tun" "$root/dev/net/tun"

# The SDK of this machine, with what this machine has to know to reach its registries.
sdk=$(dirname "$(readlink -f "$(command -v dotnet)")")
mkdir -p "$work/sdk"/{upper,work} "$root/usr/share/dotnet"
mount -t overlay overlay -o "lowerdir=$sdk,upperdir=$work/sdk/upper,workdir=$work/sdk/work" "$root/usr/share/dotnet"
ln -s /usr/share/dotnet/dotnet "$root/usr/bin/dotnet"
within "$work" apt-get update -qq
within "$work" apt-get install -y -qq --no-install-recommends ca-certificates libicu72 libssl3 libstdc++6 zlib1g tzdata git sudo >/dev/null 2>&1
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
env | grep -E '^(SSL_CERT|NUGET_|DOTNET_|https?_proxy|no_proxy)' | tee -a "$root/etc/environment" | sed 's/=.*//' >"$work/names" || true
echo "Defaults env_keep += \"$(paste -sd ' ' "$work/names")\"" >"$root/etc/sudoers.d/registries"
echo 'ann ALL = NOPASSWD: ALL' >"$root/etc/sudoers.d/ann"
echo "127.0.0.1 localhost $(hostname)" >"$root/etc/hosts"
within "$work" useradd --create-home --shell /bin/bash ann
for home in "$root/root" "$root/home/ann"; do
    [ ! -e ~/.nuget/NuGet/NuGet.Config ] || install -D ~/.nuget/NuGet/NuGet.Config "$home/.nuget/NuGet/NuGet.Config"
done
git bundle create -q "$root/home/ann/project" HEAD
within "$work" chown -R ann: /home/ann
# as_ann FOLDER: her shell, with what is typed on its standard input.
as_ann() {
    # Not chroot: in one the kernel gives nobody a user namespace, which mmdebstrap makes for her.
    unshare --mount --propagation private -- sh -c 'cd "$0" && pivot_root . . && umount -l . && cd / && exec "$@"' "$root" \
        env -i TERM=dumb COLUMNS=80 $(cat "$root/etc/environment") PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin \
        setpriv --reuid=ann --regid=ann --init-groups env HOME=/home/ann USER=ann timeout 900 bash -euo pipefail -s
}
echo "== a clean Debian"
as_ann <<'TYPED'
cd ~
git -c advice.detachedHead=false clone -q project microvm
TYPED

# What the page shows, as one script: files are written as they are shown, each command is printed before it runs.
typed() {
    awk -v quote="'" '
        /^<!-- file: / { file = $3 }
        /^```(sh|bash)$/ { block = "sh"; next }
        /^```nix$/ && file { block = "file"; print "cat >" file " <<" quote "END-OF-FILE" quote; next }
        /^```$/ { if (block == "file") { print "END-OF-FILE"; file = "" } block = ""; next }
        block == "sh" { line = $0; gsub(quote, quote "\\" quote quote, line); print "echo; echo " quote "$ " line quote }
        block { print }
    ' "$root/home/ann/microvm/docs/getting-started.md"
}
typed >"$work/typed"
# The registries are reached from this machine's network only; what makes interfaces for good has one of its own.
split=$(grep -n "^echo; echo '\$ microvm doctor'" "$work/typed" | cut -d : -f 1)
{ echo 'cd ~/microvm'; head -n $((split - 1)) "$work/typed"; } | as_ann
[ -z "${WALK_THEN:-}" ] || { echo 'cd ~/microvm'; echo "$WALK_THEN"; } | as_ann
# docs/guests.md: from nothing to ssh. What init says is missing is typed as it says it; the clock is told as the page says, since emulation on a
# busy machine is what it warns of.
echo "== an ordinary guest"
as_ann <<'TYPED'
mkdir ~/guests
cd ~/guests
microvm() { ~/microvm/out/microvm "$@"; }
microvm init --guest debian web 2>said || { cat said; install=$(grep -o 'sudo apt-get install [a-z0-9 -]*' said); $install -y -qq >/dev/null 2>&1; microvm init --guest debian web; }
file=web.nix
[ -e "$file" ] || file=web.json
sed -i "s/\"rw\"/&$([ "$file" = web.nix ] || echo ,) \"tsc_early_khz=2500000\"/" "$file"
microvm check "$file"
microvm run "$file" </dev/null >console 2>&1 &
key=$(ls web.key 2>/dev/null || true)
until ssh ${key:+-i "$key"} -o StrictHostKeyChecking=no -o UserKnownHostsFile=known -o ConnectTimeout=10 -o BatchMode=yes -p 2222 root@127.0.0.1 'echo "ssh leads to $(hostname), $(. /etc/os-release; echo "$ID")"; systemctl poweroff'; do
    kill -0 $! || { cat console; exit 1; }
    sleep 2
done
wait $!
TYPED
export -f as_ann
export root
{ echo 'cd ~/microvm'; echo 'sudo ip link set lo up'; tail -n +"$split" "$work/typed"; } >"$work/rest"
unshare --net bash -c as_ann <"$work/rest"
# What git sees, what is not hers in her home, and what still runs.
left=$(as_ann <<'TYPED'
git -C ~/microvm status --short
find ~ ! -user ann ! -path ~/.config/\*
for process in /proc/[0-9]*; do [ "$(readlink "$process/root" || echo /)" = / ] || tr '\0' ' ' <"$process/cmdline"; done
TYPED
)
[ -z "$left" ] || { echo "== left: $left"; exit 1; }
echo "== walked: $(grep -c '^echo; echo ' "$work/typed") lines typed, nothing left"

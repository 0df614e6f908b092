#!/usr/bin/env bash
# Installs what the tests need, builds, and passes every test. With --all the long ones run whole (every fault, a minute of
# soak, all of the fuzzing, a clean Debian; about half an hour). With --unit only what needs neither root nor other programs runs,
# in seconds. Other arguments go to the test runner.
set -euo pipefail
cd "$(dirname "$0")"
. scripts/need.sh
if [ "${1:-}" = --unit ]; then
    shift
    sdk
    dotnet build tests/Microvm.Tests -c Release --nologo -v quiet
    exec dotnet run --project tests/Microvm.Tests -c Release --no-build -- --no-ansi --progress off --filter-trait needs=nothing "$@"
fi
as_root "the tests make network namespaces"
sdk
trap hand_back EXIT
# The tests play the caller of sudo themselves. And root's git reads a checkout that is another's where it is told to.
unset SUDO_UID SUDO_GID SUDO_USER SUDO_COMMAND
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0=$PWD
need /lib/systemd/systemd=systemd ip=iproute2 strace=strace tcpdump=tcpdump dot=graphviz ping=iputils-ping qemu-system-x86_64=qemu-system-x86 nix-instantiate=nix-bin nix=nix-bin git=git zsh=zsh fish=fish groff=groff-base slirp4netns=slirp4netns /usr/lib/qemu/virtiofsd=qemu-system-common unshare=util-linux nft=nftables dnsmasq=dnsmasq-base iptables=iptables setcap=libcap2-bin mmdebstrap=mmdebstrap newuidmap=uidmap ssh=openssh-client mke2fs=e2fsprogs busybox=busybox-static /lib/systemd/systemd-udevd=udev
# Where systemd is at work, its package would have it started here, and at every boot; its tests are skipped then.
[ -d /run/systemd/system ] || need NetworkManager=network-manager dbus-daemon=dbus ovs-dpctl=openvswitch-switch machinectl=systemd-container
if [ "${1:-}" = --all ]; then
    export MICROVM_TEST_ALL=1
    ./tests/formats/fetch.sh
    ./tests/nixpkgs-lib/fetch.sh
    ./tests/current-nix.sh out/current-nix
    shift
fi
./build.sh
./guest/build.sh
./tests/Hosts/build.sh
echo "== building the tests"
dotnet build tests/Microvm.Tests -c Release --nologo -v quiet
rm -f out/faults.txt out/soak.txt out/fuzz.txt out/model.txt
echo "== testing (some minutes; out/test.log has every test's line)"
set +e
dotnet run --project tests/Microvm.Tests -c Release --no-build -- --no-ansi --progress off --output Detailed "$@" 2>&1 | tee out/test.log |
    awk '/^passed / { if (++n % 50 == 0) { print "   " n " passed"; fflush() } next } { print; fflush() }'
code=${PIPESTATUS[0]}
if [ -n "${MICROVM_TEST_ALL:-}" ] && [ $# = 0 ]; then
    echo "== testing what asks nix once more, with the newest nix (out/test-nix.log)"
    PATH=$PWD/out/current-nix/bin:$PATH dotnet run --project tests/Microvm.Tests -c Release --no-build -- --no-ansi --progress off --output Detailed --filter-class "*NixFrontDoorTests" "*NixFilesTests" "*NixProcessTests" "*NixpkgsLibTests" "*PublishedShapesTests" "*MistakesTests" "*EvaluatedGuestTests" >out/test-nix.log 2>&1 ||
        { code=$?; grep -v '^passed' out/test-nix.log; }
    sed -nE 's/^ *succeeded: ([0-9]+).*/   \1 passed/p' out/test-nix.log
fi
passed=$(sed -nE 's/^ *succeeded: ([0-9]+).*/\1/p' out/test.log | tail -1)
failed=$(sed -nE 's/^ *failed: ([0-9]+).*/\1/p' out/test.log | tail -1)
for figures in faults soak fuzz model; do
    [ ! -f "out/$figures.txt" ] || { echo "== $figures"; cat "out/$figures.txt"; }
done
echo "${passed:-0} passed, ${failed:-0} failed"
[ "${passed:-0}" -gt 0 ] || exit 1
exit "$code"

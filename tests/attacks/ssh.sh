#!/usr/bin/env bash
# Whom sudo lets reach a guest has root's ssh run a program, read a key, or note a host for them; and somebody else takes the connection that root makes for them.
. "$(dirname "$0")/common.sh"
# ssh works for accounts alone.
attacker_user=$(id -u nobody) attacker_group=$(id -g nobody)
caller() { SUDO_UID=$attacker_user SUDO_GID=$attacker_group timeout 20 "$microvm" "$@"; }
mkdir -m 755 "$work/closed"
mkdir -m 1777 "$work/open"
# As many ways as there are into a guest.
vsock='"vsock":{"cid":4242}'
ways=("\"hypervisor\":\"qemu\",$vsock" "\"hypervisor\":\"cloud-hypervisor\",$vsock" '"forwardPorts":[{"host":{"port":9},"guest":{"port":22}}],"interfaces":[{"type":"user","id":"net","mac":"02:00:00:00:00:01"}]')
for way in "${ways[@]}"; do
    printf '{"networking":{"hostName":"web"},"microvm":{"kernel":"/boot/none","initrdPath":"/boot/none",%s}}' "$way" >"$work/vm.json"
    rm -f "$work/open/who"
    for option in ProxyCommand KnownHostsCommand; do
        caller ssh -o "$option=/bin/sh -c 'id -u >$work/open/who; touch $work/closed/new'" "$work/vm.json" true >"$work/told" 2>&1 </dev/null || true
        [ ! -e "$work/closed/new" ] || reached "$option of the caller's ran as root"
        [ "$option" != ProxyCommand ] || [ "$(cat "$work/open/who")" = "$attacker_user" ] || { echo "the caller's own command did not run as them ($way): $(cat "$work/told")" >&2; exit 2; }
    done
done
# A hypervisor whose user alone may enter the directory: root connects for the caller, and hands the connection over.
mkdir -m 700 "$work/vm"
chown 64122:64122 "$work/vm"
setpriv --reuid 64122 --regid 64122 --clear-groups -- perl -MIO::Socket::UNIX -e '
    my $l = IO::Socket::UNIX->new(Local => "$ARGV[0]/notify.vsock", Listen => 9) or die;
    while (my $c = $l->accept) {
        next if fork; $c->autoflush(1);
        my $asked = <$c>; print $c "OK 1024\nSSH-2.0-guest\r\n";
        my $said = <$c>; open my $f, ">>", "$ARGV[0]/asked"; print $f $asked, $said; close $f; exit }' "$work/vm" &
for _ in $(seq 100); do [ ! -S "$work/vm/notify.vsock" ] || break; sleep 0.02; done
printf '{"networking":{"hostName":"web"},"microvm":{"hypervisor":"cloud-hypervisor","kernel":"/boot/none","initrdPath":"/boot/none",%s}}' "$vsock" >"$work/vm.json"
cd "$work/vm"
caller ssh "$work/vm.json" true >"$work/told" 2>&1 </dev/null || true
grep -q 'CONNECT 22' "$work/vm/asked" && grep -q '^SSH-2.0-' "$work/vm/asked" || { echo "the caller's ssh does not reach the guest: $(cat "$work/told")" >&2; exit 2; }
rm "$work/vm/asked"
# The connection waits for the caller's ssh, which is busy; anybody finds its name, and asks first.
caller ssh -o "ProxyCommand=touch $work/open/waits; exec sleep 5" "$work/vm.json" true >"$work/told" 2>&1 </dev/null &
busy=$!
for _ in $(seq 200); do [ ! -e "$work/open/waits" ] || break; sleep 0.02; done
name=$(grep -o 'microvm-ssh-[0-9a-f]*' /proc/net/unix | head -n 1)
[ -n "$name" ] || { echo "the script finds no offer" >&2; exit 2; }
setpriv --reuid 64125 --regid 64125 --clear-groups -- perl -e '
    use Socket; socket(my $s, AF_UNIX, SOCK_STREAM, 0); connect($s, sockaddr_un("\0$ARGV[0]")) or exit; alarm 3; exit(sysread($s, my $got, 1) ? 1 : 0)' "$name" || reached "another user was given the connection"
[ ! -e "$work/vm/asked" ] || reached "the guest was asked for another user"
# A process of root's that waits for ever could be left as often as the caller likes.
wait "$busy" || true
for _ in $(seq 100); do grep -q "$name" /proc/net/unix || break; sleep 0.05; done
! grep -q "$name" /proc/net/unix || reached "root's process waits on for an ssh that has ended"

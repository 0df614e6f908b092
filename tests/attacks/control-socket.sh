#!/usr/bin/env bash
# A hypervisor that a guest broke out into has its control socket lead to another VM's, which root's 'shutdown' and 'balloon' would ask in its place; or puts there what is no socket; or somebody else who may write in the VM's directory listens in its place.
. "$(dirname "$0")/common.sh"
mkdir -m 700 "$work/other"
mkdir "$work/vm"
chown "$attacker_user:$attacker_group" "$work/vm"
# The other VM's hypervisor writes down what it is asked.
perl -MIO::Socket::UNIX -e '
    my $l = IO::Socket::UNIX->new(Local => "$ARGV[0]/q", Listen => 9) or die;
    while (my $c = $l->accept) {
        next if fork; $c->autoflush(1);
        print $c qq({"QMP":{}}\n);
        while (my $asked = <$c>) { open my $f, ">>", "$ARGV[0]/asked"; print $f $asked; close $f; print $c qq({"return":{}}\n) }
        exit }' "$work/other" &
for _ in $(seq 100); do [ ! -S "$work/other/q" ] || break; sleep 0.02; done
ask() {
    local code
    for command in "shutdown --timeout 1 $2" "balloon $2 100"; do
        code=0
        # shellcheck disable=SC2086 # The words of a command.
        timeout 15 "$microvm" $command >"$work/told" 2>&1 || code=$?
        [ "$code" != 124 ] || reached "'$command' hangs on: $1"
        [ "$code" -lt 128 ] && ! grep -q "internal error" "$work/told" || reached "'$command' breaks on $1: $(cat "$work/told")"
    done
}
at() { declaration web ',"socket":"'"$1"'"' >"$work/vm.json"; }
# That the other one would write it down is seen first, where its own declaration is asked for.
at "$work/other/q"
ask itself "$work/vm.json"
grep -q system_powerdown "$work/other/asked" || { echo "the script's own hypervisor was not asked: $(cat "$work/told")" >&2; exit 2; }
rm "$work/other/asked"
at "$work/vm/q"
as_attacker ln -s ../other/q "$work/vm/q"
ask "a link" "$work/vm.json"
[ ! -e "$work/other/asked" ] || reached "through a link, another VM was asked: $(cat "$work/other/asked")"
at "$work/vm/sub/q"
as_attacker ln -s ../other "$work/vm/sub"
ask "a link on the way" "$work/vm.json"
[ ! -e "$work/other/asked" ] || reached "through a link on the way, another VM was asked: $(cat "$work/other/asked")"
at "$work/vm/q"
for put in mkfifo mkdir touch "ln -s /dev/zero" "ln -s q"; do
    rm -rf "$work/vm/q"
    # shellcheck disable=SC2086 # The same.
    as_attacker $put "$work/vm/q"
    ask "$put" "$work/vm.json"
    [ -e "$work/vm/q" ] || [ -L "$work/vm/q" ] || reached "what is no socket was removed: $put"
done
# A user of the group that may write in the VM's directory listens there in the hypervisor's place, which is another's.
mkdir "$work/group"
chown "64122:$attacker_group" "$work/group"
chmod 2775 "$work/group"
cat >"$work/impostor" <<'IMPOSTOR'
use IO::Socket::UNIX; use Socket;
my ($path, $kind) = @ARGV;
socket(my $l, AF_UNIX, $kind eq "crosvm" ? SOCK_SEQPACKET : SOCK_STREAM, 0) or die; bind($l, sockaddr_un($path)) or die; chmod 0777, $path; listen($l, 9) or die;
while (accept(my $c, $l)) {
    next if fork; $c->autoflush(1);
    print $c qq({"QMP":{}}\n) if $kind eq "qemu";
    while (sysread($c, my $asked, 4096)) { open my $f, ">>", "$path.asked"; print $f $asked; close $f; print $c $kind eq "qemu" ? qq({"return":{}}\n) : "HTTP/1.1 204 No Content\r\n\r\n" }
    exit }
IMPOSTOR
# Each hypervisor by its own protocol, and the guest's vsock as ssh reaches it.
for hypervisor in qemu crosvm cloud-hypervisor firecracker; do
    rm -f "$work"/group/*
    # Not through a function, whose shell would take the signal below.
    setpriv --reuid "$attacker_user" --regid "$attacker_group" --clear-groups -- perl "$work/impostor" "$work/group/q" "$hypervisor" >/dev/null &
    impostor=$!
    for _ in $(seq 100); do [ ! -S "$work/group/q" ] || break; sleep 0.02; done
    printf '{"networking":{"hostName":"web"},"microvm":{"hypervisor":"%s","kernel":"/boot/none","initrdPath":"/boot/none","socket":"%s","balloon":true}}' "$hypervisor" "$work/group/q" >"$work/vm.json"
    ask "an impostor ($hypervisor)" "$work/vm.json"
    [ ! -e "$work/group/q.asked" ] || reached "user $attacker_user was asked in the place of $hypervisor of user 64122: $(cat "$work/group/q.asked")"
    grep -q "user $attacker_user listens at" "$work/told" || reached "nobody is told that an impostor listens in the place of $hypervisor: $(cat "$work/told")"
    kill "$impostor"; wait "$impostor" 2>/dev/null || true
done
rm -f "$work"/group/*
setpriv --reuid "$attacker_user" --regid "$attacker_group" --clear-groups -- perl "$work/impostor" "$work/group/notify.vsock" vsock >/dev/null &
for _ in $(seq 100); do [ ! -S "$work/group/notify.vsock" ] || break; sleep 0.02; done
timeout 15 "$microvm" ssh-connect -- "$work/group/notify.vsock" 22 0 >"$work/told" 2>&1 || true
[ ! -e "$work/group/notify.vsock.asked" ] || reached "'ssh' speaks to an impostor: $(cat "$work/group/notify.vsock.asked")"
grep -q "user $attacker_user listens at" "$work/told" || reached "nobody is told that an impostor listens in the place of the guest: $(cat "$work/told")"

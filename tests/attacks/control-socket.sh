#!/usr/bin/env bash
# A hypervisor that a guest broke out into has its control socket lead to another VM's, which root's 'shutdown' and 'balloon' would ask in its place; or puts there what is no socket.
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

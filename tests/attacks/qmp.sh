#!/usr/bin/env bash
# A hypervisor that a guest broke out into never lets go of who asks it to shut down: events without end, a byte a second, bad JSON.
. "$(dirname "$0")/common.sh"
sed -i 's#"kernel"#"socket":"'"$work"'/q","kernel"#' "$work/good.json"
serve() {
    rm -f "$work/q"
    perl -MIO::Socket::UNIX -e '
        my $l = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 9) or die;
        $SIG{PIPE} = "IGNORE";
        while (my $c = $l->accept) {
            next if fork; $c->autoflush(1);
            if ($ARGV[1] eq "drip") { for (1 .. 400) { print $c "x" or last; select(undef, undef, undef, 0.2) } exit }
            print $c qq({"QMP":{}}\n);
            if ($ARGV[1] eq "events") { while (print $c qq({"event":"X"}\n)) { select(undef, undef, undef, 0.001) } exit }
            if ($ARGV[1] eq "bad") { print $c qq({"error":5}\n); sleep 60 }
            if ($ARGV[1] eq "raw") { print $c qq({"error":{"desc":"\\u001b[2J\\u202eevil"}}\n); sleep 60 }
            exit }' "$work/q" "$1" &
    for _ in $(seq 100); do [ ! -S "$work/q" ] || break; sleep 0.02; done
}
for kind in drip events bad raw; do
    serve "$kind"
    server=$!
    code=0
    timeout 15 "$microvm" shutdown --timeout 1 "$work/good.json" >"$work/told" 2>&1 || code=$?
    kill "$server"
    [ "$code" != 124 ] || reached "'shutdown' hangs on: $kind"
    ! grep -q "internal error" "$work/told" || reached "$kind is an internal error: $(cat "$work/told")"
    ! grep -qP '\x1b|\x{202e}' "$work/told" || reached "raw bytes reach the terminal"
done

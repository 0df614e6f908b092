#!/usr/bin/env bash
# A hypervisor with an API of HTTP that a guest broke out into drips its answer, a byte now and then, or never ends it, or speaks to the terminal.
. "$(dirname "$0")/common.sh"
serve() {
    rm -f "$work/api"
    perl -MIO::Socket::UNIX -e '
        my $l = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 9) or die;
        $SIG{PIPE} = "IGNORE";
        while (my $c = $l->accept) {
            next if fork; $c->autoflush(1);
            if ($ARGV[1] eq "drip") { for (split(//, "HTTP/1.1 204 No Content\r\nX: " . "y" x 4000)) { print $c $_ or last; select(undef, undef, undef, 0.2) } exit }
            if ($ARGV[1] eq "endless") { print $c "HTTP/1.1 200 OK\r\nContent-Length: 2000000000\r\n\r\n"; while (print $c "x" x 65536) {} exit }
            if ($ARGV[1] eq "length") { print $c "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"; sleep 60 }
            if ($ARGV[1] eq "raw") { print $c "HTTP/1.1 400 \e[2J\r\nContent-Length: 12\r\n\r\n\e[31m\xe2\x80\xaeevil"; sleep 60 }
            if ($ARGV[1] eq "json") { print $c "HTTP/1.1 400 Bad\r\nContent-Length: 11\r\n\r\n{\"error\":5}"; sleep 60 }
            exit }' "$work/api" "$1" &
    for _ in $(seq 100); do [ ! -S "$work/api" ] || break; sleep 0.02; done
}
for hypervisor in cloud-hypervisor firecracker; do
    sed 's#"kernel"#"hypervisor":"'"$hypervisor"'","socket":"'"$work"'/api","kernel"#' "$work/good.json" >"$work/$hypervisor.json"
    for kind in drip endless length raw json; do
        # One API is spoken to as the other: of what takes its time, one is enough.
        [ "$kind $hypervisor" != "drip cloud-hypervisor" ] || continue
        serve "$kind"
        server=$!
        code=0
        timeout 15 "$microvm" shutdown --timeout 1 "$work/$hypervisor.json" >"$work/told" 2>&1 || code=$?
        kill "$server"
        [ "$code" != 124 ] || reached "'shutdown' of $hypervisor hangs on: $kind"
        ! grep -q "internal error" "$work/told" || reached "$kind is an internal error: $(cat "$work/told")"
        ! grep -qP '\x1b|\xe2\x80\xae' "$work/told" || reached "raw bytes reach the terminal"
    done
done

#!/usr/bin/env bash
# Clients that connect to 'metrics --listen' and say nothing, or a byte now and then.
. "$(dirname "$0")/common.sh"
"$microvm" metrics --listen 127.0.0.1:0 "$work/good.json" >/dev/null 2>"$work/told" &
for _ in $(seq 100); do grep -q metrics "$work/told" && break; sleep 0.02; done
port=$(sed -nE 's#.*:([0-9]+)/metrics.*#\1#p' "$work/told")
perl -MIO::Socket::INET -e '
    $SIG{PIPE} = "IGNORE"; my @c = map { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$ARGV[0]") } 1 .. 12; open(my $f, ">", $ARGV[1]); close $f;
    for (1 .. 200) { for (@c) { print { $_ } "G" if $_; $_->flush if $_ } select(undef, undef, undef, 0.1) }' "$port" "$work/connected" 2>/dev/null &
for _ in $(seq 200); do [ ! -e "$work/connected" ] || break; sleep 0.02; done
start=$(date +%s%N)
for _ in 1 2 3; do
    answer=$(timeout 20 perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$ARGV[0]") or die; print $s "GET /metrics HTTP/1.1\r\n\r\n"; $s->flush; local $/; print <$s>' "$port" | head -1) || true
    case $answer in "HTTP/1.1 200"*) ;; *) reached "a scrape was not answered: $answer" ;; esac
done
took=$((($(date +%s%N) - start) / 1000000))
[ "$took" -lt 3000 ] || reached "three scrapes took $took ms"

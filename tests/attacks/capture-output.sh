#!/usr/bin/env bash
# Whom sudo lets capture has root write where they may not.
. "$(dirname "$0")/common.sh"
name=mva-$$
ip netns add "$name"
tidy() { ip netns delete "$name"; }
"$microvm" up --netns "$name" "$work/good.json" >/dev/null
echo secret >"$work/secret"
chmod 600 "$work/secret"
mkdir -m 755 "$work/closed"
for file in "$work/secret" "$work/closed/new"; do
    SUDO_UID=$attacker_user SUDO_GID=$attacker_group "$microvm" capture --netns "$name" vm-x1 --seconds 0.2 -o "$file" >/dev/null 2>&1 || true
    SUDO_UID=$attacker_user SUDO_GID=$attacker_group "$microvm" topology --svg -o "$file" "$work/good.json" >/dev/null 2>&1 || true
    for words in "metrics $work/good.json -o $file" "init --name web -o $file" "build $work/good.json -o $file" "man -o $work/closed" "man -o $file" "host install --root $work/closed" "host install --root $file"; do
        # shellcheck disable=SC2086 # The words of a command.
        SUDO_UID=$attacker_user SUDO_GID=$attacker_group "$microvm" $words >/dev/null 2>&1 || true
        [ -z "$(ls "$work/closed")" ] || reached "'$words' made $(ls "$work/closed" | head -3) where the caller may not"
    done
done
# A socket as well, which ends with the command.
for path in "$work/closed/socket" "$work/secret"; do
    SUDO_UID=$attacker_user SUDO_GID=$attacker_group timeout 3 "$microvm" metrics --netns "$name" --socket "$path" "$work/good.json" >"$work/told" 2>&1 || true
    ! grep -q "metrics at" "$work/told" || reached "root listens at $path, where the caller may not"
    [ -z "$(ls "$work/closed")" ] || reached "'metrics --socket' made $(ls "$work/closed" | head -3) where the caller may not"
done
# Where they may, it is there, and theirs.
mkdir "$work/theirs"
chown "$attacker_user:$attacker_group" "$work/theirs"
for words in "metrics $work/good.json -o $work/theirs/metrics" "init --name web -o $work/theirs/init.nix" "build $work/good.json -o $work/theirs/result" "man -o $work/theirs/man" "host install --root $work/theirs"; do
    # shellcheck disable=SC2086 # The same.
    SUDO_UID=$attacker_user SUDO_GID=$attacker_group "$microvm" $words >"$work/told" 2>&1 || { echo "'$words' fails: $(cat "$work/told")" >&2; exit 2; }
done
SUDO_UID=$attacker_user SUDO_GID=$attacker_group "$microvm" metrics --netns "$name" --socket "$work/theirs/socket" "$work/good.json" >"$work/told" 2>&1 &
served=$!
for _ in $(seq 200); do ! grep -q "metrics at" "$work/told" || break; sleep 0.02; done
[ -S "$work/theirs/socket" ] || { echo "'metrics --socket' does not listen: $(cat "$work/told")" >&2; exit 2; }
[ "$(stat -c %u "$work/theirs/socket")" = "$attacker_user" ] || reached "the socket that the caller had made is user $(stat -c %u "$work/theirs/socket")'s"
as_attacker perl -MIO::Socket::UNIX -e 'my $c = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die; print $c "GET /metrics HTTP/1.1\r\n\r\n"; exit !(<$c> =~ / 200 /)' "$work/theirs/socket" || { echo "the caller gets no metrics from their socket" >&2; exit 2; }
! as_attacker kill -TERM "$served" 2>/dev/null || reached "the caller ended root's 'metrics'"
# Who speaks for a client has nothing of what the socket was made with (CAP_DAC_OVERRIDE, 2).
"$microvm" metrics --netns "$name" --socket "$work/theirs/roots" "$work/good.json" >"$work/told" 2>&1 &
roots=$!
for _ in $(seq 200); do ! grep -q "metrics at" "$work/told" || break; sleep 0.02; done
before=" $(ls "/proc/$roots/task" | tr '\n' ' ')"
seen='' least=yes
perl -MIO::Socket::UNIX -e 'my $c = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die; sleep 100' "$work/theirs/roots" &
for _ in $(seq 100); do
    for thread in $(ls "/proc/$roots/task"); do
        [[ $before != *" $thread "* ]] || continue
        held=$(sed -n 's/^CapPrm:\s*//p' "/proc/$roots/task/$thread/status" 2>/dev/null) || continue
        [ -n "$held" ] || continue
        seen=$held
        (( 16#$held & 2 )) || least=''
    done
    [ -n "$least" ] || break
    sleep 0.02
done
[ -n "$seen" ] || { echo "no thread serves the client" >&2; exit 2; }
[ -z "$least" ] || reached "who speaks for a client of 'metrics --socket' has CAP_DAC_OVERRIDE: $seen"
kill "$roots"
wait "$roots" || true
# The directory is exchanged for a link to root's own: only the socket that was made goes, where it was made.
mkdir -m 755 "$work/roots"
perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 1) or die' "$work/roots/socket"
mv "$work/theirs" "$work/moved"
ln -s roots "$work/theirs"
kill "$served"
wait "$served" || true
[ -S "$work/roots/socket" ] || reached "'metrics' removed a socket of root's"
[ ! -e "$work/moved/socket" ] || { echo "'metrics' leaves its socket" >&2; exit 2; }
rm "$work/theirs"
mv "$work/moved" "$work/theirs"
[ -z "$(find "$work/theirs" ! -user "$attacker_user")" ] || reached "what the caller had made is not the caller's: $(find "$work/theirs" ! -user "$attacker_user" | head -3)"
[ "$(cat "$work/secret")" = secret ] || reached "root overwrote a file of its own"
[ ! -e "$work/closed/new" ] || reached "root made a file where the caller may not"

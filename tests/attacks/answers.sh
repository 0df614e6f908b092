#!/usr/bin/env bash
# What answers us is hostile: systemd's programs, nft, a unit's own lines in the journal, the leases that dnsmasq writes, the name of a process that holds a link, names of what is there. It prints what a terminal obeys, prints without end, or hangs.
. "$(dirname "$0")/common.sh"
name=mva-$$
ip netns add "$name"
tidy() { [ -z "${holder:-}" ] || kill "$holder" 2>/dev/null; ip netns delete "$name"; }
esc=$(printf '\033')
mkdir "$work/bin"
for program in systemctl journalctl busctl nft dnsmasq; do
    cat >"$work/bin/$program" <<'ANSWER'
#!/bin/bash
case $HOW in
    obeyed) printf 'Id=microvm@web.service\nLoadState=loaded\nActiveState=\033]0;owned\007\nSubState=\033[2J\nMainPID=1\nResult=\033c\n\nmicrovm: error \033]0;owned\007\n'; printf '\033]0;owned\007\n' >&2; exit "${CODE:-0}" ;;
    endless) exec yes "ActiveState=failed" ;;
    line) exec tr '\0' x </dev/zero ;;
    hangs) exec sleep 1000 ;;
    dies) kill -SEGV $$ ;;
esac
ANSWER
    chmod 755 "$work/bin/$program"
done
run create web --file "$work/good.json" >/dev/null
printf '{"networking":{"hostName":"net"},"microvm":{"kernel":"/boot/none","networks":{"n1":{}},"interfaces":[{"type":"tap","id":"vm-n1","network":"n1","mac":"02:00:00:00:00:02"}]}}' >"$work/net.json"
# Where systemd seems to run the host.
cat >"$work/steps" <<STEPS
mount -t sysfs sys /sys; ip link set lo up; mount -t tmpfs -o mode=755 none /run; mkdir -p /run/systemd/system /run/netns
export PATH="$work/bin:\$PATH"
exec "\$@"
STEPS
judge() {
    [ "$1" != 124 ] || reached "'$3' hangs where an answer $2"
    [ "$1" -lt 128 ] && ! grep -q "internal error" "$4" || reached "'$3' breaks where an answer $2: exit code $1, $(head -c 500 "$4")"
    ! grep -q "$esc" "$4" || reached "'$3' sends to the terminal what an answer has in it ($2): $(cat -v "$4" | head -c 500)"
    [ "$(stat -c %s "$4")" -lt 100000 ] || reached "'$3' prints without end where an answer $2"
}
try() {
    local how=$1 code=0
    # 2 GiB of memory is what no answer may cost.
    (ulimit -d 2097152; HOW=$how CODE=$2 timeout -k 1 70 unshare --net --mount bash "$work/steps" "$microvm" "${@:3}") >"$work/told.$how.$2.$3" 2>&1 || code=$?
    judge "$code" "$how ($2)" "${*:3}" "$work/told.$how.$2.$3"
}
pids=()
for how in obeyed endless line hangs dies; do
    for code in 0 1; do
        [ "$how" = obeyed ] || [ "$code" = 0 ] || continue
        for words in "list --state-dir $state" "start web --state-dir $state" "fleet down $work/none.json --state-dir $state" "plan $work/net.json" "up $work/net.json" "doctor $work/good.json" "status --state-dir $state"; do
            # All at once: what hangs is waited for.
            # shellcheck disable=SC2086 # The words of a command.
            try "$how" "$code" $words &
            pids+=($!)
        done
    done
done
for pid in "${pids[@]}"; do wait "$pid" || exit 1; done
# A process that holds a VM's tap calls itself what a terminal obeys.
"$microvm" up --netns "$name" --user "$attacker_user" "$work/good.json" >/dev/null
cat >"$work/holder" <<'HOLDER'
open(my $tun, "+<", "/dev/net/tun") or die; my $r = "";
# IFF_TAP, IFF_NO_PI, and IFF_VNET_HDR and IFF_MULTI_QUEUE as the tap has them.
for my $flags (0x1002, 0x5002, 0x1102, 0x5102) { $r = ioctl($tun, 0x400454ca, my $asked = pack("a16 s x22", "vm-x1", $flags)) and last }
$r or die "tap: $!";
$0 = "\033]0;x\007\nb"; open(my $f, ">", $ARGV[0]); close $f; sleep 1000;
HOLDER
ip netns exec "$name" perl "$work/holder" "$work/held" &
holder=$!
for _ in $(seq 200); do [ ! -e "$work/held" ] || break; sleep 0.02; done
[ -e "$work/held" ] || { echo "the script could not hold the tap" >&2; exit 2; }
grep -q "$esc" "/proc/$holder/comm" || { echo "the process has no such name: $(cat -v "/proc/$holder/comm")" >&2; exit 2; }
sed 's/"type":"tap"/"type":"tap","tap":{"vhost":true}/; s/vm-x1","mac":"02:00:00:00:00:01/vm-x1","mac":"02:00:00:00:00:09/' "$work/good.json" >"$work/other.json"
for words in "status" "plan $work/other.json" "up $work/other.json" "down $work/good.json" "topology" "topology --svg" "topology --dot" "metrics" "doctor $work/good.json"; do
    code=0
    # shellcheck disable=SC2086 # The same.
    timeout 60 "$microvm" ${words%% *} --netns "$name" ${words#"${words%% *}"} >"$work/told" 2>&1 || code=$?
    judge "$code" "names a process" "$words" "$work/told"
    [ "$words" != status ] || grep -q "^" "$work/told" && [ "$(grep -c '^b' "$work/told")" = 0 ] || reached "'$words' begins a line with the name of a process"
done
# dnsmasq, which runs as a user of its own, writes leases that a terminal obeys, that are no leases, no file, or have no end.
cat >"$work/leases" <<'LEASES'
mount -t tmpfs -o mode=755 none /run
net=$(readlink /proc/self/ns/net); net=${net//[!0-9]/}
folder=/run/microvm/networks/$net/n1
mkdir -p "$folder/reservations"
echo "02:00:00:00:00:02,10.0.0.2,web" >"$folder/reservations/web"
cd "$folder"
case $1 in
    obeyed) printf '1893456000 02:\033]0;x\0077 10.0.0.2 \033[2J *\n1893456000 \302\2332J 10.0.0.3 \342\200\256evil\rx\vy *\n' >leases ;;
    numbers) printf '%s 02:00:00:00:00:02 10.0.0.2 a *\n' 9223372036854775807 253402300799 99999999999999999999 -1 >leases ;;
    fifo) mkfifo leases ;;
    folder) mkdir leases ;;
    link) ln -s /dev/zero leases ;;
    device) mknod leases c 1 5 ;;
    endless) truncate -s 1T leases ;;
    line) head -c 15000000 /dev/zero | tr '\0' x >leases ;;
    empty) printf ' \n\n   \n1 2 3\n' >leases ;;
esac
shift
exec "$@"
LEASES
for how in obeyed numbers fifo folder link device endless line empty; do
    for words in "network leases" "network leases --json" "network list" "ip web" "list --state-dir $state" status "metrics" "doctor $work/good.json"; do
        code=0
        # shellcheck disable=SC2086 # The same.
        (ulimit -d 2097152; timeout -k 1 60 unshare --net --mount bash "$work/leases" "$how" "$microvm" $words) >"$work/told" 2>&1 || code=$?
        judge "$code" "is a lease ($how)" "$words" "$work/told"
        LC_ALL=C grep -qP '\xc2\x9b|\xe2\x80\xae|[\r\v]' "$work/told" && reached "'$words' sends to the terminal what a lease has in it: $(cat -v "$work/told")"
        # What the host's own VMs were given is told all the same.
        case $words in network\ leases* | ip\ web) grep -q 10.0.0.2 "$work/told" || reached "a lease ($how) keeps '$words' from telling the others: $(cat -v "$work/told")" ;; esac
    done
done
# Names of what is there, for a shell that completes: none may be what it or its terminal obeys.
mkdir -p "$state/.host/$esc[2J" "$state/\$(touch owned)"
printf '%s\n' "$esc]0;x:x:1000:1000::/:/bin/sh" 'a`touch owned`:x:1001:1001::/:/bin/sh' >"$work/passwd"
cat /etc/passwd >>"$work/passwd"
cat >"$work/complete" <<'COMPLETE'
mount --bind "$1/passwd" /etc/passwd
mkdir -p /run/netns; mount -t tmpfs none /run/netns; touch /run/netns/$'\033[2J' '/run/netns/$(touch owned)'
mount --bind "$1/lib" /var/lib
cd "$1/completing"
for list in vms links namespaces users groups; do "$2" completions $list; done
# As bash does it when the person types TAB.
PATH=$(dirname "$2"):$PATH
source <("$2" completions bash)
for line in "microvm start " "microvm up --netns " "microvm up --user " "microvm capture "; do
    COMP_WORDS=($line ""); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _microvm 2>/dev/null; printf '%s\n' "${COMPREPLY[@]}"
done
COMPLETE
mkdir "$work/completing" "$work/lib"
ln -s "$state" "$work/lib/microvms"
code=0
timeout 60 unshare --mount bash "$work/complete" "$work" "$microvm" >"$work/told" 2>&1 || code=$?
judge "$code" "is a name" completions "$work/told"
[ -z "$(ls "$work/completing")" ] || reached "the completion ran what stands in a name"
grep -q 'touch' "$work/told" || { echo "the script's names were not offered: $(cat -v "$work/told" | head -c 600)" >&2; exit 2; }

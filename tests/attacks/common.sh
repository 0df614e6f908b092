# What the attacks share. Each script stands where an attacker stands and pushes: it ends with 0 where it did not reach its aim, with 1
# where it did. MICROVM names the binary under attack; all happens in a directory of its own.
set -euo pipefail
microvm=$(readlink -f "${MICROVM:-out/microvm}")
work=$(mktemp -d "${TMPDIR:-/tmp}/microvm-attack-XXXXXX")
chmod 755 "$work"
# A user and a group that no account has: the hypervisor that a guest broke out into, or a desktop user in the group kvm.
attacker_user=64123 attacker_group=64124
leave() {
    code=$?
    set +e
    jobs -p | xargs -r kill 2>/dev/null
    wait 2>/dev/null
    ! declare -F tidy >/dev/null || tidy
    rm -rf -- "$work"
    exit "$code"
}
trap leave EXIT
as_attacker() { setpriv --reuid "$attacker_user" --regid "$attacker_group" --clear-groups --no-new-privs -- "$@"; }
reached() {
    echo "reached: $*" >&2
    exit 1
}
state=$work/state
# As tmpfiles.d makes it: VMs' directories get the group.
mkdir "$state"
chown "0:$attacker_group" "$state"
chmod 2755 "$state"
declaration() { printf '{"networking":{"hostName":"%s"},"microvm":{"kernel":"/boot/none","interfaces":[{"type":"tap","id":"vm-x1","mac":"02:00:00:00:00:01"}]%s}}\n' "$1" "${2:-}"; }
declaration web >"$work/good.json"
# What a unit of root's would run: where this version keeps it, or where earlier ones did.
steering() { if [ -d "$state/.host/$1" ]; then echo "$state/.host/$1"; else echo "$state/$1"; fi; }
run() { "$microvm" "$1" --state-dir "$state" "${@:2}"; }

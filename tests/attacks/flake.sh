#!/usr/bin/env bash
# The author of a flake: 'create', 'update' and 'fleet up' evaluate it as nobody, without a capability and without root's secrets, and what nix says for it reaches no terminal as it is.
. "$(dirname "$0")/common.sh"
mkdir -p "$work/flake" "$work/bin"
# Every program of nix tells as whom and with what it runs.
for program in nix nix-daemon nix-store nix-instantiate; do
    real=$(command -v "$program")
    cat >"$work/bin/$program" <<TELL
#!/bin/bash
{ echo "program $program"; grep -E '^(Uid|Groups|Cap(Inh|Prm|Eff|Amb)|NoNewPrivs)' /proc/self/status; env; } >"$work/told/$program.\$\$"
exec "$real" "\$@"
TELL
    chmod 755 "$work/bin/$program"
done
mkdir -m 1777 "$work/told"
mkdir -m 700 "$work/secret"
echo hunter2 >"$work/secret/key"
flake() {
    cat >"$work/flake/flake.nix" <<FLAKE
{ outputs = { self }: { nixosConfigurations.web.config.microvm.declaredRunner = builtins.trace "\${"$(printf '\033')"}]0;owned" (derivation {
    name = "microvm-qemu-web"; system = "$(uname -m)-linux"; builder = "/bin/sh"; args = [ "-c" "/bin/mkdir \$out; echo $1 \${if builtins.pathExists /root/.ssh then "" else ""} > \$out/x" ]; });
  nixosModules.mod = builtins.trace "\${"$(printf '\033')"}]0;owned" { networking.hostName = "mod"; microvm.kernel = "/boot/none"; }; }; }
FLAKE
    chown -R "$attacker_user:$attacker_group" "$work/flake"
}
echo '{"microvm":{"vms":{"web":{"flake":"path:'"$work/flake"'"}}}}' >"$work/fleet.json"
cat >"$work/steps" <<STEPS
set -e
# A store, a nix.conf and a /run of this test's own.
mount -t tmpfs none /nix; mount -t tmpfs -o mode=755 none /run; mkdir -p /etc/nix; mount -t tmpfs none /etc/nix
printf 'build-users-group =\nsandbox = false\nsubstitute = false\n' >/etc/nix/nix.conf
export PATH="$work/bin:\$PATH" AWS_SECRET_ACCESS_KEY=secret NIX_CONFIG='access-tokens = github.com=secret' SSH_AUTH_SOCK=/agent GIT_DIR=/x NETRC=secret HOME=/root
"\$@"
STEPS
inside() { unshare --mount bash "$work/steps" "$@"; }
asked() {
    local told uid
    grep -qx "program ${3:-nix}" "$work"/told/* || reached "'$1' did not ask nix: $(cat "$work/out")"
    for told in "$work"/told/*; do
        case $(head -1 "$told") in
            'program nix' | 'program nix-instantiate')
                uid=$(grep ^Uid "$told" | tr -s '\t ' ' ')
                [ "$uid" = "Uid: $2 $2 $2 $2" ] || reached "'$1' evaluates as $uid"
                ! grep -E '^Cap' "$told" | grep -qv '0000000000000000$' || reached "'$1' evaluates with $(grep -E '^Cap' "$told")"
                ! grep -q '^NoNewPrivs:.0' "$told" || reached "'$1' evaluates where set-user-ID works"
                ! grep -E '^(AWS_|NIX_CONFIG=.|SSH_AUTH_SOCK|GIT_DIR=/x|NETRC|HOME=/root)' "$told" || reached "'$1' hands over what is the caller's"
                ;;
        esac
    done
    ! grep -q $'\033' "$work/out" || reached "nix speaks to the terminal: $(cat -v "$work/out")"
    rm -f "$work"/told/*
}
go() { inside bash -c 'set -e; "$@"' - "$@" >"$work/out" 2>&1 || reached "'$*' fails: $(cat "$work/out")"; }
# The state outlives the store, whose content a second one does not have: each command makes its own.
flake one
go "$microvm" create web --flake "path:$work/flake" --trust --state-dir "$state"
[[ $(readlink "$state/.host/web/current") == /nix/store/*-microvm-qemu-web ]] || reached "there is no runner: $(cat "$work/out")"
asked create "$attacker_user"
go "$microvm" update web --state-dir "$state"
asked update "$attacker_user"
# Behind sudo as the caller; a flake of root's own as nobody.
export SUDO_UID=64125 SUDO_GID=64125
flake two
go "$microvm" update web --state-dir "$state"
asked 'update behind sudo' 64125
unset SUDO_UID SUDO_GID
chown -R 0:0 "$work/flake"
go "$microvm" fleet up --no-start --trust --state-dir "$state" "$work/fleet.json"
asked 'fleet up' 65534
# 'check', 'run' and the others read a flake that has to be fetched in the same way, though they have given up their privileges by then.
read_as() {
    local words
    for words in "check --online" "command --online" "plan --online"; do
        # shellcheck disable=SC2086 # The words of a command.
        go "$microvm" $words "path:$work/flake#mod"
        asked "$words" "$1" nix-instantiate
    done
    # It may not be started here; as whom it is read shows all the same.
    inside "$microvm" run --online --trust "path:$work/flake#mod" >"$work/out" 2>&1 </dev/null || true
    asked "run --online" "$1" nix-instantiate
}
flake three
read_as "$attacker_user"
export SUDO_UID=64125 SUDO_GID=64125
flake four
read_as 64125
unset SUDO_UID SUDO_GID
flake five
chown -R 0:0 "$work/flake"
read_as 65534
chown -R "$attacker_user:$attacker_group" "$work/flake"
# Ended in the middle, whatever ends it, nothing of nix goes on.
cat >"$work/flake/flake.nix" <<'FLAKE'
{ outputs = { self }: { nixosConfigurations.web.config.microvm.declaredRunner = builtins.foldl' (a: _: builtins.foldl' (b: c: b + c) a (builtins.genList (x: x) 1000000)) 0 (builtins.genList (x: x) 1000); }; }
FLAKE
cat >"$work/kill" <<KILL
"$microvm" update web --state-dir "$state" >/dev/null 2>&1 & it=\$!
for _ in \$(seq 200); do ls "$work"/told/nix.* >/dev/null 2>&1 && break; sleep 0.05; done
sleep 0.5
kill -\$1 \$it; wait \$it || true
for _ in \$(seq 100); do
    left=0
    for told in "$work"/told/*; do pid=\${told##*.}; [ ! -e /proc/\$pid/stat ] || grep -q ') Z' /proc/\$pid/stat 2>/dev/null || left=\$pid; done
    [ \$left != 0 ] || exit 0
    sleep 0.05
done
echo "reached: after SIG\$1 nix goes on: \$(tr '\0' ' ' </proc/\$left/cmdline)" >&2; exit 1
KILL
for signal in KILL TERM HUP; do
    rm -f "$work"/told/*
    inside bash "$work/kill" "$signal" >&2
done

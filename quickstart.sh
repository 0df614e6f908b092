#!/usr/bin/env bash
# Shows the way from a declaration to a tap in a network namespace of its own, and leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")"
missing=()
command -v ip >/dev/null || missing+=(iproute2)
command -v nix-instantiate >/dev/null || missing+=(nix-bin)
if [ ${#missing[@]} -gt 0 ]; then
    echo "== installing ${missing[*]}"
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
echo "== building out/microvm"
./build.sh
ns="microvm-quick-$$"
ip netns add "$ns"
trap 'ip netns del "$ns"' EXIT
for command in "check" "plan --netns $ns" "up --netns $ns" "status --netns $ns" "down --netns $ns"; do
    echo "== microvm $command examples/quickstart.nix"
    # shellcheck disable=SC2086  # the words of a command of ours
    out/microvm $command examples/quickstart.nix
done

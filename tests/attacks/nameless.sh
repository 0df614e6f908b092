#!/usr/bin/env bash
# Two declarations that name no VM: the 'up' of one deletes the links of the other.
. "$(dirname "$0")/common.sh"
name=mva-$$
ip netns add "$name"
tidy() { ip netns delete "$name"; }
for id in a b; do echo '{"microvm":{"interfaces":[{"type":"tap","id":"vm-'$id'","mac":"02:00:00:00:00:0'$id'"}]}}' >"$work/$id.json"; done
"$microvm" up --netns "$name" "$work/a.json" >/dev/null 2>&1
index=$(ip -n "$name" -o link show vm-a | cut -d: -f1)
"$microvm" up --netns "$name" "$work/b.json" >/dev/null 2>"$work/told" || true
[ "$(ip -n "$name" -o link show vm-a 2>/dev/null | cut -d: -f1)" = "$index" ] || reached "the other VM's link is gone"
grep -q hostName "$work/told" || reached "it is not told what to write"
# The same file again is fine, and so is one with a name.
"$microvm" up --netns "$name" "$work/a.json" >/dev/null || reached "its own file is refused"
sed -i 's/^{/{"networking":{"hostName":"b"},/' "$work/b.json"
"$microvm" up --netns "$name" "$work/b.json" >/dev/null || reached "a named VM is refused"

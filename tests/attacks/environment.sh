#!/usr/bin/env bash
# A caller whose environment reaches root has every variable that is read anywhere lead to a directory of root's: nothing there is written, emptied or removed.
. "$(dirname "$0")/common.sh"
name=mva-$$
ip netns add "$name"
tidy() { ip netns delete "$name"; }
precious=$work/precious
mkdir -p "$precious/web" "$precious/.lkvm" "$precious/.ssh" "$precious/new" "$work/bin"
chmod 700 "$precious"
for file in file web/current .lkvm/web .ssh/id_ed25519.pub new/x; do echo precious >"$precious/$file"; done
printf '#!/bin/sh\nexit 0\n' >"$work/bin/qemu-system-$(uname -m)"
cp "$work/bin/qemu-system-$(uname -m)" "$work/bin/lkvm"
chmod 755 "$work"/bin/*
# Those that the sources name, the ones of other programs, of the runtime and of earlier versions.
read -r -d '' -a names < <(grep -rhoE '"(SUDO_[A-Z]+|[A-Z]+_[A-Z_]+|HOME|COLUMNS|TERM|LANG|TZ|USER)"' "$(dirname "$0")/../../src" --include=*.cs | tr -d '"' | sort -u; printf '%s\0' "MICROVM_INSIDE MICROVM_STATE_DIR TMPDIR TMP TEMP XDG_RUNTIME_DIR XDG_STATE_HOME XDG_CONFIG_HOME XDG_CACHE_HOME XDG_DATA_HOME XDG_DATA_DIRS STATE_DIRECTORY RUNTIME_DIRECTORY CACHE_DIRECTORY PAGER EDITOR VISUAL MANPAGER LISTEN_FDS LISTEN_PID DOTNET_BUNDLE_EXTRACT_BASE_DIR DOTNET_DbgMiniDumpName DOTNET_EventPipeOutputPath DOTNET_EnableEventPipe DOTNET_DbgEnableMiniDump HOME" )
[ "${#names[@]}" -gt 30 ] || { echo "the script found no variables in the sources" >&2; exit 2; }
declaration web >"$work/vm.json"
sed -i 's#/boot/none#/etc/hostname#' "$work/vm.json"
declaration web ',"hypervisor":"kvmtool"' | sed 's#/boot/none#/etc/hostname#' >"$work/lkvm.json"
look() { (cd "$precious" && find . -printf '%p %y %m %U %G %s %T@\n' | sort && find . -type f -exec cat {} +); }
before=$(look)
for value in "$precious" "$precious/file" "1:$precious" "$precious/new/y"; do
    surroundings=()
    for each in "${names[@]}"; do [ "$each" = PATH ] || surroundings+=("$each=$value"); done
    rm -rf "$state" "$work/root" "$work/result" "$work/init.nix"
    mkdir "$state" "$work/root"
    while read -r -a words; do
        (cd "$work" && timeout 60 env "${surroundings[@]}" PATH="$work/bin:$PATH" "$microvm" "${words[@]}" >"$work/told" 2>&1 </dev/null) || [ $? -lt 124 ] || reached "'${words[*]}' hangs or breaks: $(cat "$work/told")"
        ! grep -q "internal error" "$work/told" || reached "'${words[*]}' breaks: $(cat "$work/told")"
        [ "$(look)" = "$before" ] || reached "'${words[*]}' with variables of $value: $(diff <(echo "$before") <(look))"
    done <<LINES
check vm.json
plan vm.json --netns $name
up vm.json --netns $name
status vm.json --netns $name
topology vm.json --netns $name
metrics vm.json --netns $name
run vm.json --netns $name
run lkvm.json --netns $name
shutdown vm.json
shutdown lkvm.json
down vm.json --netns $name
build vm.json -o result
init -o init.nix
doctor vm.json
create web --file vm.json --state-dir $state
update web --file vm.json --state-dir $state
list --state-dir $state
remove web --data --state-dir $state
host install --root $work/root
mac web
LINES
    [ -e "$work/result" ] && [ -e "$work/init.nix" ] || { echo "the script's commands did nothing: $(ls "$work")" >&2; exit 2; }
done

#!/usr/bin/env bash
# The author of a declaration names a file of root's as the socket of a share.
. "$(dirname "$0")/common.sh"
echo precious >"$work/precious"
declaration web ',"virtiofsd":{"group":null,"package":"'"$work"'"},"shares":[{"proto":"virtiofs","tag":"t","source":"'"$work"'","socket":"'"$work"'/precious"}]' >"$work/share.json"
mkdir "$work/bin"
printf '#!/bin/sh\nexit 1\n' >"$work/bin/virtiofsd"
chmod 755 "$work/bin/virtiofsd"
timeout 20 "$microvm" virtiofsd "$work/share.json" >/dev/null 2>&1 || true
[ -e "$work/precious" ] || reached "root's file is gone"
# And one where the person behind sudo may write nothing.
mkdir -m 755 "$work/closed"
declaration web ',"virtiofsd":{"group":null,"package":"'"$work"'"},"shares":[{"proto":"virtiofs","tag":"t","source":"'"$work"'","socket":"'"$work"'/closed/s"}]' >"$work/share.json"
printf '#!/bin/sh\ncase "$*" in *--version*) exit 0;; esac\n: > %s/closed/s\n' "$work" >"$work/bin/virtiofsd"
chmod 644 "$work/share.json"
SUDO_UID=$attacker_user SUDO_GID=$attacker_group timeout 20 "$microvm" virtiofsd "$work/share.json" >/dev/null 2>&1 || true
[ ! -e "$work/closed/s" ] || reached "root started a daemon that makes a socket where the caller may not"

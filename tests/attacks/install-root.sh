#!/usr/bin/env bash
# Who owns the directory that root names with 'host install --root' has parts of it lead to the host's own, or names the host's files as what is to be removed.
. "$(dirname "$0")/common.sh"
mkdir -m 700 "$work/precious"
echo precious >"$work/precious/keep"
look() { (cd "$work/precious" && find . -printf '%p %y %m %s %T@\n' | sort); }
before=$(look)
go() {
    timeout 60 "$microvm" host "$1" --root "$work/root" --prefix /usr >"$work/told" 2>&1 || true
    ! grep -q "internal error" "$work/told" || reached "it breaks: $(cat "$work/told")"
    [ "$(look)" = "$before" ] || reached "'host $1' with $2 went to root's own: $(cat "$work/told")"
}
manifest() {
    mkdir -p "$work/root/usr/lib/microvm"
    printf 'file\t%s\t/../precious/keep\nfile\t%s\t/usr/lib/deep/keep\ndirectory\t/../precious\n' "$1" "$1" >"$work/root/usr/lib/microvm/installed"
    ln -s "$work/precious" "$work/root/usr/lib/deep"
}
sum=$(sha256sum <"$work/precious/keep" | cut -d' ' -f1)
for owner in whole part; do
    for part in link manifest; do
        for command in install uninstall; do
            rm -rf "$work/root"
            mkdir "$work/root"
            if [ "$part" = link ]; then ln -s "$work/precious" "$work/root/usr"; else manifest "$sum"; fi
            if [ "$owner" = whole ]; then chown -Rh "$attacker_user" "$work/root"; else chown -Rh "$attacker_user" "$work/root/usr"; fi
            go "$command" "a $part in a directory of another's ($owner)"
        done
    done
done
# A manifest that leads out is none, also where it is root's.
rm -rf "$work/root"
mkdir "$work/root"
manifest "$sum"
rm "$work/root/usr/lib/deep"
go install "a manifest that leads out"
go uninstall "a manifest that leads out"
# A directory of root's own is installed below, and emptied again.
rm -rf "$work/root"
mkdir "$work/root"
go install "nothing"
[ -n "$(find "$work/root" -name 'microvm@.service')" ] || { echo "the script's own directory was refused: $(cat "$work/told")" >&2; exit 2; }
go uninstall "nothing"
[ -z "$(find "$work/root" -name 'microvm@.service')" ] || { echo "nothing was removed: $(cat "$work/told")" >&2; exit 2; }

#!/usr/bin/env bash
# Writes nix/deps.json, the lock of the NuGet packages that nix/package.nix builds with: what a restore of the native
# binary wants, for both architectures. The hashes are those of the package files in NuGet's own cache.
# With - it writes to standard output.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/need.sh
need nix=nix-bin git=git
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# In a copy: a restore for another architecture would have the next build restore again.
git ls-files -z 'src/*.csproj' 'src/*.props' 'Directory.*' global.json | xargs -0 cp --parents -t "$scratch"
for rid in linux-x64 linux-arm64; do
    dotnet restore "$scratch/src/Microvm.Cli/Microvm.Cli.csproj" -r "$rid" --nologo -v quiet >&2
    for project in "$scratch"/src/*/obj/project.assets.json; do
        cp "$project" "$scratch/$rid-$(basename "$(dirname "$(dirname "$project")")").assets"
    done
done
nix --extra-experimental-features nix-command eval --store dummy:// --impure --raw --expr '
let
  lib = import ./nix/standalone;
  folder = '"$scratch"';
  assets = map (name: builtins.fromJSON (builtins.readFile (folder + "/${name}"))) (builtins.filter (lib.hasSuffix ".assets") (builtins.attrNames (builtins.readDir folder)));
  cache = lib.head (builtins.attrNames (lib.head assets).packageFolders);
  named = a: map (lib.splitString "/") (builtins.attrNames (lib.filterAttrs (_: l: l.type == "package") a.libraries));
  # What the SDK downloads besides: the AOT compiler and the like, "[1.2.3, 1.2.3]".
  further = a: map (d: [ d.name (lib.head (lib.splitString "," (lib.removePrefix "[" d.version))) ]) (lib.concatMap (f: f.downloadDependencies or [ ]) (lib.attrValues a.project.frameworks));
  all = builtins.listToAttrs (map (p: { name = lib.concatStringsSep "/" p; value = p; }) (lib.concatMap (a: named a ++ further a) assets));
  lock = p:
    let pname = lib.elemAt p 0; version = lib.elemAt p 1; low = lib.toLower pname; in
    "  { \"pname\": \"${pname}\", \"version\": \"${version}\", \"hash\": \"sha512-${lib.fileContents (/. + "${cache}${low}/${version}/${low}.${version}.nupkg.sha512")}\" }";
in
"[\n" + lib.concatStringsSep ",\n" (map lock (lib.attrValues all)) + "\n]\n"' >"$scratch/deps.json"
if [ "${1:-}" = - ]; then cat "$scratch/deps.json"; else cp "$scratch/deps.json" nix/deps.json; fi

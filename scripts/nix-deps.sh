#!/usr/bin/env bash
# Writes nix/deps.json, the lock of the NuGet packages that nix/package.nix builds with, from the last restore of the
# native binary (./build.sh). Works offline: the hashes are those of the package files in NuGet's own cache.
set -euo pipefail
cd "$(dirname "$0")/.."
assets=$PWD/src/Microvm.Cli/obj/project.assets.json
[ -e "$assets" ] || { echo "run ./build.sh first" >&2; exit 1; }
nix --extra-experimental-features nix-command eval --store dummy:// --impure --raw --expr '
let
  lib = import ./nix/standalone;
  assets = builtins.fromJSON (builtins.readFile '"$assets"');
  cache = builtins.head (builtins.attrNames assets.packageFolders);
  named = map (l: lib.splitString "/" l) (builtins.attrNames (lib.filterAttrs (_: l: l.type == "package") assets.libraries));
  # What the SDK downloads besides: the AOT compiler and the like, "[1.2.3, 1.2.3]".
  further = lib.concatMap (f: map (d: [ d.name (lib.head (lib.splitString "," (lib.removePrefix "[" d.version))) ]) (f.downloadDependencies or [ ])) (lib.attrValues assets.project.frameworks);
  lock = p:
    let
      pname = lib.elemAt p 0; version = lib.elemAt p 1; low = lib.toLower pname;
      file = /. + "${cache}${low}/${version}/${low}.${version}.nupkg.sha512";
    in
    lib.optional (builtins.pathExists file) "  { \"pname\": \"${pname}\", \"version\": \"${version}\", \"hash\": \"sha512-${lib.fileContents file}\" }";
in
"[\n" + lib.concatStringsSep ",\n" (lib.unique (lib.concatMap lock (named ++ further))) + "\n]\n"' > nix/deps.json.new
mv nix/deps.json.new nix/deps.json

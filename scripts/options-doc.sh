#!/usr/bin/env bash
# Writes docs/options.md from the option declarations themselves; with - to standard output.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "${1:-}" = - ] || exec > docs/options.md
nix --extra-experimental-features nix-command eval --store dummy:// --impure --raw --expr '
let
  lib = import ./nix/standalone;
  options = import ./nix/options-doc.nix { inherit lib; };
  code = what: text: "- ${what}:" + (if lib.hasInfix "\n" text then "\n\n  ```nix\n  ${lib.replaceString "\n" "\n  " text}\n  ```\n" else " `${text}`\n");
  entry = o: "### `${o.name}`\n\n${o.description}\n\n- Type: ${o.type}\n"
    + lib.optionalString (o.default != "") (code "Default" o.default) + code "Example" o.example + "\n";
  part = title: module: "## ${title}\n\n" + lib.concatMapStrings entry (builtins.filter (o: o.module == module) options);
in
"# Options\n\nWritten by `scripts/options-doc.sh` from the declarations in `nix/modules`; do not edit.\n\n"
  + part "A MicroVM (`nixosModules.microvm`, and every declaration)" "microvm"
  + part "A host (`nixosModules.host`)" "host"
  + part "Beside microvm.nix (`nixosModules.microvm-nix`)" "microvm-nix"'

#!/usr/bin/env bash
# Writes every committed file that is generated: what is made from the option table (the Nix modules' options, the JSON
# Schema, docs/declaration.md), the hypervisors' network words, and docs/options.md from the Nix modules.
set -euo pipefail
cd "$(dirname "$0")/.."
# Only the tests that write: others would read what is not written yet.
MICROVM_UPDATE=1 dotnet run --project tests/Microvm.Tests -c Release -- --no-ansi --progress off \
  --filter-class '*GeneratedFilesTests' '*DeclarationPageTests' '*NetworkTableTests' --filter-not-method '*guest_module*' '*Every_example*' '*microvm_nix*'
scripts/options-doc.sh

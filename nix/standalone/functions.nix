# The plain functions of `lib`, by the names that nixpkgs gives them and written from what its manual says of each.
{ trivial, lists, strings, attrsets, versions, filesystem, fileset, paths, generators, meta }:
lib:
let
  inherit (trivial lib) fixedPoints asserts debug;
  plain = (trivial lib).trivial;
  inherit (filesystem lib) sources;
  files = (filesystem lib).filesystem;
  ofLists = lists lib;
  ofStrings = strings lib;
  ofSets = attrsets lib;
  ofMeta = meta lib;
  systems = [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ];
in
ofMeta // sources // removeAttrs files [ "haskellPathsInDir" "listFilesRecursive" "locateDominatingFile" "resolveDefaultNix" ]
// ofSets // ofStrings // removeAttrs ofLists [ "hasPrefix" "removePrefix" "commonPrefix" ] // debug // asserts // fixedPoints // plain
// {
  inherit (ofLists) replicate;
  inherit (builtins) add addErrorContext appendContext baseNameOf bitAnd bitOr bitXor dirOf fromTOML getContext hasContext
    hashString placeholder readDir toFile toString toXML unsafeDiscardOutputDependency;
  trivial = plain;
  lists = ofLists;
  strings = ofStrings;
  attrsets = ofSets;
  versions = versions lib;
  filesystem = files;
  fileset = fileset lib;
  path = paths lib;
  generators = generators lib;
  inherit (lib.generators) mkLuaInline;
  inherit fixedPoints asserts debug sources;
  meta = ofMeta;
  systems = { flakeExposed = systems; doubles = { linux = [ "x86_64-linux" "aarch64-linux" ]; all = systems; }; };
  fakeHash = "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
  fakeSha256 = lib.strings.replicate 64 "0";
  fakeSha512 = lib.strings.replicate 128 "0";
  applyIf = condition: f: x: if condition then f x else x;
  replicateString = lib.strings.replicate;
}

# The front door's way in: which `lib` serves, and what is evaluated with it.
{ functions, properties, types, modules, packages, declaration, options }:
{ file ? null, flake ? null, name ? null }:
let
  inherit (builtins) isAttrs isString pathExists substring stringLength tryEval;

  standalone = functions standalone // properties standalone // types standalone // modules standalone;

  # nixpkgs serves where it is found and this nix is new enough for it.
  found = tryEval <nixpkgs>;
  root = toString found.value;
  old = root + "/lib/minver.nix";
  new = root + "/lib/minfeatures.nix";
  usable = found.success && pathExists (root + "/lib/default.nix")
    && (!pathExists old || builtins.compareVersions (import old) builtins.nixVersion < 1)
    && (!pathExists new || (import new).missing == [ ])
    && (!pathExists release || builtins.compareVersions (builtins.readFile release) "23.05" >= 0);
  release = root + "/.version";
  nixpkgsLib = import (root + "/lib");
  # A function that this nixpkgs is too old to have comes from the stand-in.
  lib = if usable then functions lib // nixpkgsLib else standalone;
  # A package of the stand-in means the host's own program, which is there to be run; nixpkgs adds what it lacks.
  host = packages standalone;
  pkgs = if usable && pathExists (root + "/default.nix") then import root { config = { }; overlays = [ ]; } // removeAttrs host [ "path" "stdenv" ] // { inherit lib; } else host // { inherit lib; };
  modulesPath = if usable then root + "/nixos/modules" else "/nixpkgs-is-not-here";

  # A declaration's own files see no way into the network. nixpkgs and the store are read as they are.
  beneath = directory: path: substring 0 (stringLength directory + 1) path == directory + "/" || path == directory;
  load = path: if (found.success && beneath root path) || beneath builtins.storeDir path then import path else builtins.scopedImport scope path;
  refuse = what: _: throw "${what} needs the network, and a declaration is evaluated without; use a path, or a flake's input";
  scope = offline // {
    import = path: if isAttrs path || builtins.isPath path || isString path then load (toString path) else import path;
    builtins = builtins // offline // { inherit (scope) import; builtins = scope.builtins; };
  };
  offline = builtins.listToAttrs (map (what: { name = what; value = refuse "builtins.${what}"; }) [ "fetchurl" "fetchTarball" "fetchGit" "fetchMercurial" "fetchTree" "getFlake" "fetchClosure" ]);

  evaluate = (declaration { inherit lib pkgs modulesPath load options; }).evaluate;
  outcome = result: { inherit (result) p v; w = if found.success && !usable then [ "nixpkgs at ${root} is too old, or needs a newer nix than ${builtins.nixVersion}: the stand-in for its lib serves" ] else [ ]; };

  flakeOutputs = builtins.getFlake flake;
  fromFlake =
    if (flakeOutputs.nixosConfigurations or { }) ? ${name} then flakeOutputs.nixosConfigurations.${name}
    else if (flakeOutputs.nixosModules or { }) ? ${name} then null
    else throw "the flake ${flake} has neither nixosConfigurations.${name} nor nixosModules.${name}";
in
if flake == null then outcome (evaluate null [ file ])
else if fromFlake == null then outcome (evaluate name [ flakeOutputs.nixosModules.${name} ])
else outcome ((declaration { inherit lib pkgs modulesPath load options; }).configured fromFlake)

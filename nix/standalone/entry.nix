# The front door's way in: which `lib` serves, and what is evaluated with it.
{ functions, properties, types, modules, packages, declaration, flakes, options }:
{ file ? null, flake ? null, name ? null, online ? false, given ? { }, boots ? false }:
let
  inherit (builtins) attrNames concatStringsSep filter isAttrs isString pathExists substring stringLength tryEval;

  standalone = functions standalone // properties standalone // types standalone // modules standalone // { importModule = path: load (toString path); };

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
  # A function that this nixpkgs is too old to have comes from the stand-in, also within its groups.
  ours = functions lib;
  groups = [ "lists" "strings" "attrsets" "trivial" "versions" "filesystem" "fileset" "path" "generators" ];
  lib = if usable then ours // nixpkgsLib // standalone.genAttrs groups (group: ours.${group} // nixpkgsLib.${group} or { }) else standalone;
  # A package of the stand-in means the host's own program, which is there to be run; nixpkgs adds what it lacks.
  host = packages standalone;
  pkgs = if usable && pathExists (root + "/default.nix") then import root { config = { }; overlays = [ ]; } // removeAttrs host [ "path" "stdenv" ] // { inherit lib; } else host // { inherit lib; nixos = configuration: system { modules = lib.toList configuration; }; };
  nowhere = "/nixpkgs-is-not-here";
  modulesPath = if usable then root + "/nixos/modules" else nowhere + "/nixos/modules";

  # A declaration's own files see no way into the network. nixpkgs and the store are read as they are.
  beneath = directory: path: substring 0 (stringLength directory + 1) path == directory + "/" || path == directory;
  # A path as it is after all its `..`: what is not a file of the store must not pass for one.
  load = path: loadPlain (toString (/. + path));
  loadPlain = path:
    if beneath nowhere path then fromNowhere (substring (stringLength nowhere) (-1) path)
    else if (found.success && beneath root path) || beneath builtins.storeDir path then import path
    else builtins.scopedImport scope path;
  refuse = what: _: throw "${what} needs the network, and a declaration is evaluated without; use a path, or a flake's input";
  scope = offline // {
    import = path: if isAttrs path || builtins.isPath path || isString path then load (toString path) else import path;
    scopedImport = own: path: builtins.scopedImport (scope // own // { inherit (scope) scopedImport; }) path;
    builtins = builtins // offline // { inherit (scope) import scopedImport; builtins = scope.builtins; };
    # <nixpkgs> is the stand-in's where there is none.
    __findFile = path: what: if !found.success && (what == "nixpkgs" || beneath "nixpkgs" what) then nowhere + substring 7 (-1) what else builtins.findFile path what;
  };
  offline = builtins.listToAttrs (map (what: { name = what; value = refuse "builtins.${what}"; }) [ "fetchurl" "fetchTarball" "fetchGit" "fetchMercurial" "fetchTree" "fetchClosure" ]) // {
    getFlake = reference: let at = folderOf (toString reference); in if at == null then refuse "builtins.getFlake" reference else (flakeSupport.open at).self;
  };
  # What is imported from the stand-in's nixpkgs.
  fromNowhere = below:
    if below == "" || below == "/" || below == "/default.nix" then _: pkgs
    else if below == "/lib" || below == "/lib/default.nix" then lib
    else if below == "/nixos" || below == "/nixos/default.nix" then { configuration, ... }: system { modules = [ configuration ]; }
    else if below == "/nixos/lib/eval-config.nix" then system
    else if beneath "/systems" below then [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ]
    else if inputOf below != null then throw "the input '${inputOf below}' of the flake is not on this machine, and its ${below} is needed here; fetch it with --online"
    else throw "nixpkgs${below} is not here: set NIX_PATH=nixpkgs=/path/to/nixpkgs";
  inputOf = below: let m = builtins.match "/inputs/([^/]*).*" below; in if m == null then null else builtins.head m;
  leftOut = module:
    let
      path = toString module;
      input = if beneath nowhere path then inputOf (substring (stringLength nowhere) (-1) path) else null;
    in
    if input == null then null
    else { imports = note "the input '${input}' of the flake is not on this machine: its ${baseNameOf path} is taken for an empty module, and what it declares is missing here" [ ]; };

  # The folder that a flake's reference names, where that is one of this machine; null where it has to be fetched.
  folderOf = reference:
    let
      path = builtins.elemAt (builtins.match "(git[+]file:(//)?|path:(//)?)?([^?#]*).*" reference) 3;
    in
    if substring 0 1 path == "/" && pathExists (path + "/flake.nix") then path else null;
  note = text: value: builtins.trace "MICROVM-NOTE ${text}" value;

  system = { modules ? [ ], specialArgs ? { }, extraModules ? [ ], extraArgs ? { }, pkgs ? null, ... }:
    (evaluator { }).evaluate { name = null; modules = modules ++ extraModules; specialArgs = extraArgs // specialArgs; guestPkgs = pkgs; };
  flakeSupport = flakes { inherit load lib pkgs note nowhere system standalone; nixpkgsRoot = if usable then root else null; };
  openFlake = reference: let at = folderOf reference; in if at == null then null else (flakeSupport.open at).self;
  evaluator = more: declaration ({ inherit lib pkgs modulesPath load options given openFlake leftOut boots; } // more);

  # The nearest folder at or above a file that has a flake.nix.
  flakeAbove = folder:
    if pathExists (folder + "/flake.nix") then folder
    else if folder == "/" || folder == "" then null
    else flakeAbove (dirOf folder);
  around = flakeAbove (dirOf file);
  offered = if around == null then { } else flakeSupport.arguments (flakeSupport.open around);

  quoted = names: concatStringsSep ", " (map (n: "'${n}'") names);
  # What a person can do about an argument that nobody gives.
  missing = {
    argument = _: n: said: throw (said
      + "; give it with --arg ${n} EXPR or --argstr ${n} TEXT"
      + (if around == null then "" else "; or check the flake that gives it: ${suggestion}")
      + "; or import the module from one of your own that sets _module.args.${n}");
    factory = _: needed: said: throw (said
      + "; call it: ${concatStringsSep " " (map (n: "--arg ${n} EXPR") needed)}, or import its result, imports = [ (import ./FILE { ${concatStringsSep " " (map (n: "${n} = …;") needed)} }) ]"
      + (if around == null then "" else "; or check the flake that calls it: ${suggestion}"));
  };
  suggestion =
    let
      names = tryEval (attrNames ((flakeSupport.open around).self.nixosConfigurations or { }));
    in
    if names.success && names.value != [ ] then "microvm check ${around}#NAME, with NAME one of ${quoted names.value}" else "microvm check ${around}#NAME";

  # What has no place of its own is told at the place of the whole.
  outcome = at: it: {
    inherit (it.tagged) v;
    p = if it.tagged.p != null || at == null || substring 0 1 at.file != "/" then it.tagged.p else at;
    w = if found.success && !usable then [ "nixpkgs at ${root} is too old, or needs a newer nix than ${builtins.nixVersion}: the stand-in for its lib serves" ] else [ ];
  };

  opened = if online then { self = builtins.getFlake flake; } else flakeSupport.open flake;
  outputs = opened.self;
  has = kind: (outputs.${kind} or { }) ? ${name};
  listed = concatStringsSep "; " (map (kind: "${kind}: ${quoted (attrNames outputs.${kind})}") (filter (kind: outputs.${kind} or { } != { }) [ "nixosConfigurations" "nixosModules" ]));
  placed = at: if at == null || substring 0 1 at.file != "/" then "" else "MICROVM-AT ${at.file}:${toString at.line}:${toString at.column} ";
  ofFlake = placed { file = "${flake}/flake.nix"; line = 1; column = 1; };
  # Our own module system gives the arguments itself.
  extended = configuration:
    if given == { } || configuration ? tagged then configuration
    else if configuration ? extendModules then configuration.extendModules { specialArgs = given; }
    else throw "${placed (builtins.unsafeGetAttrPos name outputs.nixosConfigurations)}nixosConfigurations.${name} can't be given arguments: it has no extendModules, which nixpkgs.lib.nixosSystem and lib.evalModules give";
  fromFlake =
    if name == null then throw "${ofFlake}this is a flake; name one of what it has, as in: microvm check ${flake}#NAME, with NAME one of ${if listed == "" then "none: it has neither nixosConfigurations nor nixosModules" else listed}"
    else if has "nixosConfigurations" then (evaluator { }).ofSystem (extended outputs.nixosConfigurations.${name})
    else if has "nixosModules" then
      (evaluator { offered = flakeSupport.arguments opened; }).evaluate { inherit name; modules = [ outputs.nixosModules.${name} ]; specialArgs = { inputs = outputs.inputs or { } // { self = outputs; }; self = outputs; }; }
    else throw "${ofFlake}the flake ${flake} has neither nixosConfigurations.${name} nor nixosModules.${name}${if listed == "" then "" else "; it has ${listed}"}";
in
if flake != null then outcome (builtins.unsafeGetAttrPos name (if has "nixosConfigurations" then outputs.nixosConfigurations else outputs.nixosModules)) fromFlake
else outcome { inherit file; line = 1; column = 1; } ((evaluator { inherit offered missing; }).evaluate { name = null; modules = [ file ]; })

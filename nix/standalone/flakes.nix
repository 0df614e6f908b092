# Flakes without a network and without a store: inputs are taken from where the lock file says that they are, a folder or a
# path in the store. For an input that is not there stands something that has empty modules, and a note says so.
{ load, lib, pkgs, note, nowhere, system, standalone, nixpkgsRoot }:
let
  inherit (builtins) attrNames concatMap elem elemAt filter foldl' fromJSON functionArgs head isAttrs isList isString length listToAttrs map mapAttrs match pathExists readDir readFile removeAttrs split stringLength substring tryEval;

  systems = [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ];
  forSystems = f: listToAttrs (map (name: { inherit name; value = f name; }) systems);
  contains = infix: text: length (split infix text) > 1;

  # A flake's folder, opened: { self; inputs }.
  open = folder:
    let lockFile = folder + "/flake.lock"; in
    at { inherit folder; lock = if pathExists lockFile then known lockFile (fromJSON (readFile lockFile)) else null; node = null; top = folder; };
  # The versions of lock files that nix has had up to 2.34.
  known = file: lock:
    if elem (lock.version or 0) [ 5 6 7 ] then lock
    else throw "the lock file ${file} has version ${toString (lock.version or 0)}, and 5 to 7 are known here: it is newer than this; write it anew with the nix at hand: nix flake lock ${dirOf file}";

  # One flake, with the lock of the one that it was reached from.
  at = { folder, lock, node, top }:
    let
      flake = load (folder + "/flake.nix");
      key = if node != null then node else if lock == null then null else lock.root;
      declared = flake.inputs or { };
      asked = filter (n: n != "self") (attrNames (functionArgs flake.outputs));
      names = attrNames (declared // listToAttrs (map (name: { inherit name; value = null; }) asked) // (if key == null then { } else lock.nodes.${key}.inputs or { }));
      inputs = listToAttrs (map (name: { inherit name; value = input name; }) (filter (n: n != "self") names));
      input = name:
        let
          refers = if key == null then null else lock.nodes.${key}.inputs.${name} or null;
          found = if refers == null then null else follow lock refers;
          locked = if found == null then { } else lock.nodes.${found}.locked or { };
          isFlake = if found == null then declared.${name}.flake or true else lock.nodes.${found}.flake or true;
          url = declared.${name}.url or "";
          source = if found != null then sourceOf folder locked else urlSource folder url;
          known = { inherit name top; what = "${locked.owner or ""}/${locked.repo or ""} ${locked.url or ""} ${url} ${locked.path or ""}"; };
        in
        if source == null || (isFlake && !pathExists (source + "/flake.nix")) then standIn known
        else if isFlake then (at { folder = source; lock = if found == null then null else lock; node = found; inherit top; }).self
        else { outPath = source; sourceInfo.outPath = source; };
      outputs = flake.outputs (inputs // { inherit self; });
      self = { lastModified = 0; lastModifiedDate = "19700101000000"; } // outputs // {
        _type = "flake";
        inherit inputs outputs;
        outPath = folder;
        sourceInfo.outPath = folder;
      };
    in
    { inherit self inputs folder; };

  follow = lock: reference:
    if isString reference then reference
    else foldl' (node: name: let next = lock.nodes.${node}.inputs.${name} or null; in if next == null then node else follow lock next) lock.root reference;

  # Where a locked input is on this machine, or null. What is fetched lies in the store under a name that its hash tells.
  sourceOf = folder: locked:
    let
      type = locked.type or "";
      path = locked.path or "";
      inStore = if locked ? narHash && match "sha256-.{44}" locked.narHash != null then storePath locked.narHash else null;
      here = absolute folder (if type == "path" then path else if type == "git" && substring 0 7 (locked.url or "") == "file://" then substring 7 (-1) locked.url else "");
      below = if locked ? dir then "/" + locked.dir else "";
    in
    if here != null && pathExists here then here + below
    else if inStore != null && pathExists inStore then inStore + below else null;
  urlSource = folder: url:
    let
      path = elemAt (match "(path:|git[+]file:(//)?)?([^?]*).*" url) 2;
      here = if substring 0 1 path == "/" || substring 0 1 path == "." then absolute folder path else null;
    in
    if here != null && pathExists here then here else null;
  absolute = folder: path: if path == "" then null else if substring 0 1 path == "/" then path else toString (/. + (folder + "/" + path));
  # A derivation with this hash as its output gets that very path; nothing is built.
  storePath = narHash: builtins.unsafeDiscardStringContext (derivation {
    name = "source"; builder = "none"; system = "none"; outputHash = narHash; outputHashAlgo = "sha256"; outputHashMode = "recursive";
  }).outPath;

  # What modules are given by most flakes: `inputs`, `self`, and each input by its own name.
  arguments = opened: opened.inputs or (opened.self.inputs or { }) // {
    inputs = opened.self.inputs or { } // { inherit (opened) self; };
    inherit (opened) self;
    outputs = opened.self;
    flake = opened.self;
  };

  standIn = known@{ name, top, what }:
    let
      says = text: value: note "the input '${name}' of ${top}/flake.nix is not on this machine: ${text}" value;
      is = repository: contains repository what || name == repository;
      mentions = mentioned top;
      empty = kind: n: if is "microvm.nix" || name == "microvm" then { } else { imports = says "${kind}.${n} is taken for an empty module, and what it declares is missing here" [ ]; };
      modulesOf = kind: listToAttrs (map (n: { name = n; value = empty kind n; }) mentions.modules);
      package = n: lib.mapAttrs (_: v: v) (standalone.recursiveUpdate (pkgs.hello or { }) { name = n; pname = n; meta.mainProgram = n; });
      packageSets = forSystems (_: listToAttrs (map (n: { name = n; value = package n; }) mentions.packages));
      common = {
        _type = "flake";
        standIn = name;
        inputs = { };
        outPath = "${nowhere}/inputs/${name}";
        sourceInfo.outPath = "${nowhere}/inputs/${name}";
        rev = "0000000000000000000000000000000000000000";
        shortRev = "0000000";
        lastModified = 0;
        lastModifiedDate = "19700101000000";
        nixosModules = modulesOf "nixosModules";
        nixosModule = empty "nixosModule" "default";
        homeManagerModules = modulesOf "homeManagerModules";
        homeModules = modulesOf "homeModules";
        flakeModules = modulesOf "flakeModules";
        flakeModule = empty "flakeModule" "default";
        overlays = listToAttrs (map (n: { name = n; value = _: _: { }; }) mentions.overlays);
        overlay = _: _: { };
        packages = packageSets;
        legacyPackages = packageSets;
        defaultPackage = forSystems (_: package name);
        lib = absent "lib";
        nixosConfigurations = absent "nixosConfigurations";
      };
      # Outputs of its own kind that the flake's files ask for, and have no other value for (`or`).
      further = listToAttrs (map (n: { name = n; value = absent n; }) (mentions.outputsOf name));
      absent = part: throw "the input '${name}' of ${top}/flake.nix is not on this machine, and its '${part}' is needed here; fetch it with --online, or have nix fetch it: nix flake archive ${top}";
      nixpkgs = common // {
        lib = lib // { nixosSystem = system; nixos.evalModules = system; };
        legacyPackages = forSystems (s: pkgs // { system = s; });
        outPath = if nixpkgsRoot == null then nowhere else nixpkgsRoot;
      };
      microvm = common // {
        lib = { hypervisors = [ "qemu" "cloud-hypervisor" "firecracker" "crosvm" "kvmtool" "stratovirt" "alioth" "vfkit" ]; hypervisorsWithNetwork = [ "qemu" "cloud-hypervisor" "firecracker" "crosvm" "kvmtool" "stratovirt" "alioth" "vfkit" ]; };
        nixosModules = modulesOf "nixosModules" // { microvm = { }; host = { }; microvm-options = { }; };
      };
      utils = common // { lib = flakeUtils; };
      parts = common // { lib = flakeParts; };
    in
    if name == "nixpkgs" || contains "nixpkgs" what || contains "^nixpkgs" name then nixpkgs
    else if contains "flake-parts( |$)" what || name == "flake-parts" then parts
    else if contains "flake-utils( |$)" what || name == "flake-utils" then utils
    else if contains "nix-systems/" what || name == "systems" then common // { outPath = "${nowhere}/systems"; }
    else if contains "microvm[.]nix" what || name == "microvm" then microvm
    else further // common;

  # What modules, overlays and packages the files of a flake name, whichever input they are of.
  mentioned = top:
    let
      texts = map readFile (filesBelow 6 top);
      after = word: filter isString (concatMap (text: map (m: elemAt m (length m - 1)) (filter isList (split word text))) texts);
      unique = names: attrNames (listToAttrs (map (name: { inherit name; value = null; }) names));
    in
    {
      modules = unique ([ "default" ] ++ after "Modules[.]\"?([a-zA-Z_][a-zA-Z0-9_'-]*)");
      overlays = unique ([ "default" ] ++ after "overlays[.]\"?([a-zA-Z_][a-zA-Z0-9_'-]*)");
      outputsOf = input:
        let names = after "(^|[^a-zA-Z0-9_-])${input}[.]([a-zA-Z_][a-zA-Z0-9_-]*)"; optional = after "(^|[^a-zA-Z0-9_-])${input}[.]([a-zA-Z_][a-zA-Z0-9_-]*)[[:space:]]+or[[:space:]]"; in
        filter (n: !builtins.elem n optional) (unique names);
      packages = unique ([ "default" ] ++ after "[pP]ackages[.]([$][{][^}]*[}]|\"[^\"]*\"|[a-z0-9_-]+)[.]\"?([a-zA-Z_][a-zA-Z0-9_'-]*)");
    };
  filesBelow = depth: folder:
    let entries = readDir folder; in
    if depth == 0 then [ ]
    else concatMap
      (n:
        if entries.${n} == "directory" then if substring 0 1 n == "." then [ ] else filesBelow (depth - 1) (folder + "/" + n)
        else if entries.${n} == "regular" && stringLength n > 4 && substring (stringLength n - 4) 4 n == ".nix" then [ (folder + "/" + n) ] else [ ])
      (attrNames entries);

  flakeUtils = {
    defaultSystems = systems;
    allSystems = systems;
    system = listToAttrs (map (name: { inherit name; value = name; }) systems);
    eachSystem = list: f: foldl' (all: s: let one = f s; in all // mapAttrs (kind: value: (all.${kind} or { }) // { ${s} = value; }) one) { } list;
    eachDefaultSystem = flakeUtils.eachSystem systems;
    eachDefaultSystemPassThrough = f: foldl' (all: s: all // f s) { } systems;
    flattenTree = tree: tree;
    mkApp = { drv, name ? drv.pname or drv.name, exePath ? "/bin/${name}" }: { type = "app"; program = "${drv}${exePath}"; };
    filterPackages = _: set: set;
    meld = inputs: foldl' (all: path: lib.recursiveUpdate all (import path inputs)) { };
  };

  # Of flake-parts the part that says which configurations there are.
  flakeParts = rec {
    mkFlake = { inputs, self ? inputs.self, specialArgs ? { }, moduleLocation ? null }: module:
      let
        perSystemOf = s: { inherit pkgs lib self; system = s; config = { packages = { }; }; inputs' = mapAttrs (_: _: { packages = { }; }) inputs; self' = { packages = { }; }; };
        anything = lib.types.lazyAttrsOf lib.types.raw;
        whole = lib.evalModules {
          modules = [
            {
              _file = "flake-parts";
              options.flake = lib.mkOption { type = lib.types.submoduleWith { modules = [ { freeformType = lib.types.lazyAttrsOf lib.types.anything; options = lib.genAttrs [ "nixosConfigurations" "nixosModules" "darwinConfigurations" "homeConfigurations" "homeModules" "modules" "overlays" "lib" "templates" ] (_: lib.mkOption { type = anything; default = { }; }); } ]; }; default = { }; };
              options.systems = lib.mkOption { type = lib.types.listOf lib.types.str; default = [ ]; };
              options.perSystem = lib.mkOption { type = lib.types.raw; default = _: { }; apply = _: null; };
              config._module.freeformType = lib.types.lazyAttrsOf lib.types.raw;
            }
            (tolerant module)
          ];
          specialArgs = {
            inherit self inputs moduleLocation;
            flake-parts-lib = flakeParts;
            withSystem = s: f: f (perSystemOf s);
            moduleWithSystem = f: module: f (perSystemOf builtins.currentSystem);
            getSystem = perSystemOf;
          } // specialArgs;
        };
        # Each system's own outputs are packages and shells: none of them is looked at, and many modules may define them.
        tolerant = m:
          if builtins.isPath m || isString m then { imports = [ (tolerant (load (toString m))) ]; key = toString m; _file = toString m; }
          else if lib.isFunction m then lib.setFunctionArgs (arguments: tolerant (m arguments)) (lib.functionArgs m)
          else if !isAttrs m then m
          else let without = removeAttrs m [ "perSystem" ]; in
            without // (if m ? imports then { imports = map tolerant m.imports; } else { })
            // (if m ? config && isAttrs m.config then { config = removeAttrs m.config [ "perSystem" ]; } else { });
      in
      whole.config.flake;
    importApply = path: arguments: import path arguments;
    mkTransposedPerSystemModule = _: { };
    mkAliasOptionModule = _: { };
    mkDeferredModuleType = _: lib.types.raw;
    mkDeferredModuleOption = _: lib.mkOption { default = { }; type = lib.types.raw; };
    mkPerSystemOption = _: lib.mkOption { default = { }; type = lib.types.raw; };
    mkPerSystemType = _: lib.types.raw;
    mkSubmoduleOptions = options: lib.mkOption { type = lib.types.submodule { inherit options; }; default = { }; };
  };
in
{
  inherit open arguments;
}

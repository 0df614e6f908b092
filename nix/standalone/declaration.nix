# Evaluates declarations and tells where each value stands, over the evalModules of nixpkgs' lib or of the stand-in.
#
# Every module is wrapped on its way in: definitions under `microvm` are marked with their position, and those that no
# option takes are set aside instead of being fatal, so that `check` can name all of them at once. The types of the
# options only say here how definitions join; whether a value is right is for the rules in the binary to say.
#
# The result is plain data: { n, p, v } for a member (name, position, value), v = { m = members; } for an attribute set,
# { l = items; } for a list, { c = [ p … ]; } for definitions that contradict each other, { f = kind; } for a value that is
# no data, else the value itself. A position is { file, line, column } or null.
#
# `given` are the arguments that a person gave (--arg), `offered` those that the flake around a file would give, and
# `openFlake` opens a flake's folder, or gives null where it is not here. `leftOut` gives the empty module for a file of an
# input that is not here, and null for any other. With `boots`, what NixOS builds for a guest to start from is asked for.
{ lib, pkgs, modulesPath, load, options, given ? { }, offered ? { }, openFlake ? _: null, leftOut ? _: null, missing ? { }, boots ? false }:
let
  inherit (builtins) all any attrNames concatMap elem filter foldl' head intersectAttrs isAttrs isFunction isList isPath isString length map mapAttrs removeAttrs sort stringLength substring;

  peel = d:
    let kind = if isAttrs d.value then d.value._type or "" else ""; in
    if kind == "if" then if d.value.condition then peel (d // { value = d.value.content; }) else [ ]
    else if kind == "merge" then concatMap (value: peel (d // { inherit value; })) d.value.contents
    else if kind == "override" then peel (d // { value = d.value.content; inherit (d.value) priority; })
    else if kind == "order" then peel (d // { value = d.value.content; order = d.value.priority; })
    else [ d ];
  isProperty = v: isAttrs v && elem (v._type or "") [ "if" "merge" "override" "order" ];
  # The same property around other contents.
  within = f: v: if v._type == "merge" then v // { contents = map f v.contents; } else v // { content = f v.content; };
  isSet = v: isAttrs v && (v.type or "") != "derivation" && !(v ? outPath) && !(v ? __toString);
  place = name: set: otherwise: let p = builtins.unsafeGetAttrPos name set; in if p == null then otherwise else { inherit (p) file line column; };
  first = set: otherwise: let names = attrNames set; in if names == [ ] then otherwise else place (head names) set otherwise;

  # Options as they are declared, each with a type that takes anything and joins definitions as its own type would.
  isOption = v: isAttrs v && (v._type or "") == "option";
  kind = o: o.type.name or "";
  # Results of building, and whole package sets: not for the front door to look into.
  opaque = o: o.internal or false || elem (kind o) [ "pkgs" "raw" "unspecified" ] || elem (kind (o.type.nestedTypes.elemType or { })) [ "package" ];
  lenient = path: o:
    if isOption o then
      lib.mkOption ({
        type = lib.mkOptionType {
          name = "declared";
          description = "declared value";
          check = _: true;
          merge = _: value (spelled path) o;
        };
      } // (if o ? default then { default = { _type = "standard"; value = o.default; }; } else { }))
    else mapAttrs (name: lenient (path ++ [ name ])) o;
  spelled = builtins.concatStringsSep ".";

  # A marked definition: { _type = "declared"; at; order; value; }. A default is not marked, and not looked at in vain.
  mark = at: order: value: { _type = "declared"; inherit at order value; };
  isMarked = d: (d.value._type or "") == "declared";
  # An own option may be of a type of ours (`options.microvm.shares.type`): its definitions are not marked.
  marked = map (d: if isMarked d then { inherit (d.value) at order value; priority = 100; }
    else if (d.value._type or "") == "standard" then { at = null; order = 1000; priority = 100; inherit (d.value) value; } else { at = null; order = 1000; priority = 100; inherit (d) value; });

  # Marks the definitions in a module's values; `known` is the tree of options, `own` the tree of those that modules declare
  # beside them, and outside of `microvm` unknown names pass.
  annotate = closed: known: own: at: order: v:
    if isProperty v then within (annotate closed known own at (if v._type == "order" then v.priority else order)) v
    else if isOption known then mark at order v
    else if isAttrs v then
      mapAttrs (name: value: annotate (closed || name == "microvm") known.${name} (own.${name} or { }) (place name v at) order value) (intersectAttrs known v)
      // (let others = removeAttrs v (attrNames known); in if closed then intersectAttrs own others else others)
    else if closed then { } else v;
  # Which options a module defines, whatever the conditions, and what no option takes: [ { path, at, stray, value } ].
  survey = known: own: path: at: v:
    if isProperty v then concatMap (survey known own path at) (if v._type == "merge" then v.contents else [ v.content ])
    else if isOption known then [ { inherit path; stray = false; } ]
    else if !isAttrs v then [ { inherit path at; stray = true; value = v; } ]
    else concatMap
      (name:
        let here = place name v at; in
        if known ? ${name} then survey known.${name} (own.${name} or { }) (path ++ [ name ]) here v.${name}
        else if own ? ${name} then [ ]
        else [ { path = path ++ [ name ]; at = here; stray = true; value = v.${name}; } ])
      (attrNames v);

  strongest = definitions:
    let best = foldl' (a: d: if d.priority < a then d.priority else a) 100000 definitions; in
    sort (a: b: a.order < b.order) (filter (d: d.priority == best) definitions);

  # One value with its positions, from marked definitions of one option or from inside of one.
  join = path: type: definitions:
    let
      peeled = concatMap peel definitions;
      kept = strongest peeled;
      one = head kept;
    in
    if path == "microvm.binScripts" && all (d: isSet d.value) peeled then { p = one.at; v.m = map tagScript (scriptsOf peeled); }
    else if path == "microvm.vms" && all (d: isSet d.value) peeled then { p = (head peeled).at; v.m = vms peeled; }
    else if all (d: isSet d.value) peeled then { p = (head peeled).at; v.m = members path peeled; }
    else if all (d: isList d.value) kept then
      if any (d: length d.value > most) kept then { p = one.at; v.f = "a list of ${toString (length (head (filter (d: length d.value > most) kept)).value)} entries"; }
      else { p = one.at; v.l = concatMap (d: concatMap (element path d.at) d.value) kept; }
    else if type == "separatedString" && all (d: isString d.value) kept then { p = one.at; v = scalar (builtins.concatStringsSep "\n" (map (d: d.value) kept)); }
    else if length kept == 1 || all (d: d.value == one.value) kept then { p = one.at; v = scalar one.value; }
    else { p = one.at; v.c = map (d: d.at) kept; };
  members = path: definitions: concatMap
    (name:
      let found = concatMap peel (under name definitions); in
      if found == [ ] then [ ] else [ ({ n = name; } // join "${path}.${name}" "" found) ])
    (namesOf definitions);
  namesOf = definitions: attrNames (foldl' (names: d: names // d.value) { } definitions);
  under = name: concatMap (d: if d.value ? ${name} then [ (d // { value = d.value.${name}; at = place name d.value d.at; }) ] else [ ]);
  element = path: at: value:
    let
      here = if isAttrs value && !isProperty value then first value at else at;
      found = peel { at = here; order = 1000; priority = 100; inherit value; };
    in
    if found == [ ] then [ ] else [ (join "${path}.*" "" found) ];
  # More entries or bytes than these are no declaration of a VM, and cost gigabytes to carry on.
  most = 200000;
  mostBytes = 16 * 1024 * 1024;
  scalar = v:
    if isString v && stringLength v > mostBytes then { f = "a string of ${toString (stringLength v)} bytes"; }
    else if isPath v then toString v
    else if isFunction v || (isAttrs v && v ? __functor) then { f = "a function"; }
    else if isAttrs v then "${v}" else v;

  # Scripts stay in pieces, each with its order, for the binary to place its own among them.
  scriptsOf = definitions: concatMap
    (name:
      let found = concatMap peel (under name definitions); in
      if found == [ ] then [ ] else [ { inherit name; parts = strongest found; replaces = any (d: d.priority < 100) found; } ])
    (namesOf definitions);
  tagScript = script:
    let at = (head script.parts).at; in
    {
      n = script.name;
      p = at;
      v.m = [
        { n = "replaces"; p = at; v = script.replaces; }
        { n = "parts"; p = at; v.l = map (d: { p = d.at; v.m = [ { n = "order"; p = d.at; v = d.order; } { n = "text"; p = d.at; v = scalar d.value; } ]; }) script.parts; }
      ];
    };

  # The VMs of a host. What each is comes from its `config` and `extraModules`, which are a declaration of their own, from a
  # configuration that is evaluated already, or from a flake, where that is here.
  vms = definitions: concatMap (name: let found = concatMap peel (under name definitions); in if found == [ ] then [ ] else [ (tagVm name found) ]) (namesOf definitions);
  vmKnown = [ "config" "flake" "updateFlake" "autostart" "restartIfChanged" "evaluatedConfig" "nixpkgs" "pkgs" "specialArgs" "extraModules" ];
  tagVm = name: found:
    let
      sets = filter (d: isSet d.value) found;
      it = vmOf name sets;
      at = (head found).at;
      simple = concatMap
        (n: let all = concatMap peel (under n sets); in if all == [ ] then [ ] else [ ({ inherit n; } // join "microvm.vms.${name}.${n}" "" all) ])
        [ "updateFlake" "autostart" "restartIfChanged" ];
      unknown = concatMap (d: concatMap (n: if elem n vmKnown then [ ] else [ { inherit n; p = place n d.value d.at; v = shallow d.value.${n}; } ]) (attrNames d.value)) sets;
      configAt = let written = concatMap (n: under n sets) [ "config" "extraModules" "evaluatedConfig" ]; in if written == [ ] then at else (head written).at;
    in
    if length sets < length found then { n = name; p = at; v = scalar (head (filter (d: !isSet d.value) found)).value; }
    else {
      n = name;
      p = at;
      # Another nixpkgs serves nothing here; that somebody wanted one is told.
      v.m = simple ++ unknown ++ (let other = filter (d: d.value != null) (concatMap peel (under "nixpkgs" sets)); in if other == [ ] then [ ] else [ { n = "nixpkgs"; p = (head other).at; v = true; } ])
        ++ (if it.flake == null then [ ] else [ { n = "flake"; p = it.flakeAt; v = it.flake; } ])
        ++ (if it.guest == null then [ ] else [ { n = if it.flake == null then "config" else "evaluated"; p = configAt; inherit (it.guest.tagged) v; } ]);
    };
  vmOf = name: sets:
    let
      defined = n: concatMap peel (under n sets);
      last = n: let all = filter (d: d.value != null) (strongest (defined n)); in if all == [ ] then null else (head all).value;
      configs = map (d: d.value) (filter (d: d.value != null) (defined "config"));
      extra = concatMap (d: d.value) (strongest (defined "extraModules"));
      specialArgs = foldl' (a: d: a // d.value) { } (defined "specialArgs");
      flake = last "flake";
      # A flake as a value has outputs of its own; a path or a reference is opened, where it is a folder.
      opened = if isAttrs flake && flake ? nixosConfigurations then flake else if isAttrs flake && flake ? standIn then null else openFlake (toString flake);
      systems = opened.nixosConfigurations or { };
      evaluatedConfig = last "evaluatedConfig";
    in
    {
      flakeAt = let all = defined "flake"; in if all == [ ] then null else (head all).at;
      flake = if flake == null then null else if isAttrs flake && flake ? standIn then "${flake.standIn} (an input that is not here)" else toString flake;
      guest =
        if flake != null then
          if opened == null then null
          else if systems ? ${name} then ofSystem systems.${name}
          else throw "microvm.vms.${name} is taken from the flake ${toString flake}, which has no nixosConfigurations.${name}; it has: ${builtins.concatStringsSep ", " (attrNames systems)}"
        else if evaluatedConfig != null then ofSystem evaluatedConfig
        else if configs == [ ] && extra == [ ] then null
        else evaluate ({ inherit name specialArgs; modules = extra ++ configs; } // (let own = last "pkgs"; in if own == null then { } else { guestPkgs = own; }));
    };
  # As the module of a host has them, for those who read `config.microvm.vms`.
  vmValue = name: sets:
    let
      it = vmOf name sets;
      simple = foldl' (a: d: a // intersectAttrs { flake = null; updateFlake = null; autostart = null; restartIfChanged = null; evaluatedConfig = null; specialArgs = null; extraModules = null; pkgs = null; nixpkgs = null; } d.value) { } sets;
    in
    { autostart = true; restartIfChanged = it.guest != null && it.flake == null; flake = null; updateFlake = null; evaluatedConfig = null; specialArgs = { }; extraModules = [ ]; inherit pkgs; } // simple // { config = it.guest; };
  # A configuration that is evaluated: by us, in a flake without its nixpkgs, or by NixOS itself.
  ofSystem = system: if system ? tagged then system else { tagged = configured system; inherit (system) config; options = system.options or { }; };

  shallow = v: if isList v then { l = [ ]; } else if isAttrs v then { m = [ ]; } else scalar v;
  # Options of the host, in a file that declares a fleet.
  fleet = { vms = leaf { }; autostart = leaf [ ]; stateDir = leaf "/var/lib/microvms"; host.enable = leaf true; host.startupTimeout = leaf 150; host.useNotifySockets = leaf false; host.bridges = leaf [ "all" ]; host.package = leaf null; };
  leaf = default: lib.mkOption { inherit default; type = lib.types.anything; };

  # A tagged value without its positions, for modules that read it.
  plain = t:
    let v = t.v; in
    if isAttrs v && v ? m then builtins.listToAttrs (map (x: { name = x.n; value = plain x; }) v.m)
    else if isAttrs v && v ? l then map plain v.l
    else if isAttrs v && v ? c then throw "this option is defined twice with different values; use lib.mkForce on the one to keep"
    else v;
  value = path: o: definitions:
    let found = marked definitions; in
    if opaque o then (head found).value
    else if path == "microvm.vms" && all (d: isSet d.value) (concatMap peel found) then
      let peeled = concatMap peel found; in
      builtins.listToAttrs (map (name: { inherit name; value = vmValue name (filter (d: isSet d.value) (concatMap peel (under name peeled))); }) (namesOf peeled))
    else if path == "microvm.binScripts" then
      builtins.listToAttrs (map (s: { inherit (s) name; value = builtins.concatStringsSep "\n" (map (d: d.value) s.parts); }) (scriptsOf (concatMap peel found)))
    # A function or a package stays itself for those who read it.
    else if length found == 1 && !isAttrs (head found).value && !isList (head found).value then (head found).value
    else if all (d: !isSet d.value && isAttrs d.value && !isProperty d.value) found then (head found).value
    else plain (join path (kind o) found);

  # One VM, or one host, out of its modules.
  evaluate = { name, modules, specialArgs ? { }, guestPkgs ? null }:
    let
      ownPkgs = if guestPkgs == null then pkgs else guestPkgs;
      known = fleet // foldl' (all: o: all // o.options.microvm) { } (map (o: o { inherit lib; pkgs = ownPkgs; inherit (evaluated) config; }) options);
      marks = { microvm = known; networking.hostName = lib.mkOption { }; };
      # The options below `microvm` that modules declare, beside ours. A module is given `options` as they are declared; those of
      # the finished evaluation are only to be had once every definition was checked, and these depend on what is asked here.
      ownOf = arguments: { microvm = beside known arguments.options.microvm; };
      beside = known: set: mapAttrs (name: o: if known ? ${name} && !isOption o then beside known.${name} o else o)
        (removeAttrs set (filter (name: known ? ${name} && isOption known.${name}) (attrNames set)));

      wrap = file: module:
        if isPath module || (isString module && module != "") then
          if absent (toString module) then { } else if leftOut module != null then leftOut module else rewrap (toString module) (toString module) (load (fileOf module))
        else rewrap file null module;
      fileOf = module: toString module;
      rewrap = file: key: module:
        # We give the arguments ourselves: of one that nobody gives we can tell who asks for it, and where.
        lib.setFunctionArgs (arguments: dress file key (ownOf arguments) (if callable module then call file module arguments else _: module)) { };
      callable = f: isFunction f || (isAttrs f && f ? __functor);
      # modulesPath leads nowhere without nixpkgs.
      absent = path: substring 0 (stringLength modulesPath) path == modulesPath && !builtins.pathExists path;

      # What a module's function gives. `late` arguments may come from `_module.args`; what a module imports must not depend on
      # these, or the imports would depend on themselves.
      call = file: module: arguments: late:
        let
          wants = lib.functionArgs module;
          base = arguments // given;
          others = removeAttrs wants (attrNames base);
          argument = n: {
            name = n;
            value =
              if !late then offered.${n} or (nobody file n wants)
              else offered.${n} or (fromConfig n);
          };
          # A definition that depends on it whose names `config` is made of would wait for itself: what is asked for is noted, for that message.
          fromConfig = n:
            let
              all = builtins.trace "MICROVM-ASKS ${n} ${at (builtins.unsafeGetAttrPos n wants)}" arguments.config._module.args;
              there = all ? ${n};
            in
            if builtins.seq there (builtins.trace "MICROVM-HAS ${n}" there) then all.${n} else nobody file n wants;
          extra = builtins.listToAttrs (map argument (filter (n: !wants.${n} || offered ? ${n}) (attrNames others)));
          needed = filter (n: !others.${n} && !(offered ? ${n})) (attrNames others);
          result =
            if closed wants then if needed == [ ] then refused (module (intersectAttrs wants (base // extra))) else factory file needed wants
            else module (base // extra);
          # The module system calls a module with more than it names, so NixOS refuses one without the dots. It is read, and told.
          refused = made:
            if callable made then made
            else builtins.trace "MICROVM-NOTE ${file} takes { ${builtins.concatStringsSep ", " (attrNames wants)} } alone, and NixOS refuses that as a module; end its arguments in '...': { ${builtins.concatStringsSep ", " (attrNames wants)}, ... }:" made;
        in
        # A function that gives a module, rather than being one.
        if callable result && !(isAttrs result && result ? imports) then call file result arguments late else result;
      # Whether a function takes no other arguments than those it names: NixOS would refuse it as a module.
      closed = wants:
        let
          # In our own expression a place has no file.
          places = filter (p: p != null && substring 0 1 p.file == "/") (map (n: builtins.unsafeGetAttrPos n wants) (attrNames wants));
          first = foldl' (a: p: if p.line < a.line || (p.line == a.line && p.column < a.column) then p else a) (head places) places;
          lines = filter isString (builtins.split "\n" (builtins.readFile first.file));
          from = builtins.genList (i: builtins.elemAt lines (first.line - 1 + i)) (let left = length lines - first.line + 1; in if left > 80 then 80 else left);
          code = builtins.concatStringsSep "\n" (map (line: head (builtins.split "#" line)) from);
          pattern = head (builtins.split "}[[:space:]]*[:@]" code);
        in
        places != [ ] && builtins.pathExists first.file && length lines >= first.line && length (builtins.split "[.][.][.]" pattern) == 1;
      at = p: if p == null || substring 0 1 p.file != "/" then "" else "MICROVM-AT ${p.file}:${toString p.line}:${toString p.column} ";
      nobody = file: n: wants: missing.argument or (_: _: throw) file n
        "${at (builtins.unsafeGetAttrPos n wants)}this module asks for the argument '${n}', and nobody gives it";
      factory = file: needed: wants: missing.factory or (_: _: throw) file needed
        "${at (builtins.unsafeGetAttrPos (head needed) wants)}this is a function of { ${builtins.concatStringsSep ", " (attrNames wants)} }, and no module by itself";

      dress = file: key: own: make:
        let
          early = inside file (make false);
          late = inside file (make true);
          set = if isAttrs early then early else throw "${if substring 0 1 file == "/" then "MICROVM-AT ${file}:1:1 " else ""}a declaration is an attribute set, { microvm = { … }; }, or a function to one, { lib, ... }: { … }; this is ${kindOf early}";
          full = set ? config || set ? options;
          config = conditions file (if isProperty set then late else if full then late.config or { } else removeAttrs late [ "imports" "disabledModules" "_file" "key" "freeformType" "meta" "_class" ]);
          ownFile = set._file or file;
        in
        # microvm.nix's own module, or ours, imported by its path: the options are here already.
        if (set.options.microvm or { }) ? hypervisor || any (declares ownFile) (set.imports or [ ]) then { _file = ownFile; }
        else {
          _file = ownFile;
          imports = map (m: wrap ownFile (there set m)) (set.imports or [ ]);
          config = lib.mkMerge [ (annotate false marks own null 1000 config) { declarationSurvey = foundIn own config; } ];
        }
        // intersectAttrs { disabledModules = null; freeformType = null; } set
        // (if set ? options then { options = undeclared late.options; } else { })
        // (if key == null then intersectAttrs { key = null; } set else { inherit key; });
      # An import that is not there, told with the place of the `imports` that name it; nix itself tells of none.
      there = set: module:
        let path = toString module; in
        if (isPath module || (isString module && substring 0 1 module == "/")) && !absent path && leftOut module == null && !builtins.pathExists path then
          throw "${at (place "imports" set null)}this imports ${path}, and it isn't there: was it kept out of the repository, or is it made by something that has to run first?"
        else module;
      # nix's trace tells of a module, or of what its definitions depend on, without a place: which file it was is noted in it.
      inside = file: if substring 0 1 file == "/" then builtins.addErrorContext "MICROVM-IN ${file}:1:1:" else v: v;
      conditions = file: v:
        if !isProperty v then v
        else (if v ? condition then { condition = inside file v.condition; } else { }) // within (conditions file) (removeAttrs v [ "condition" ]);
      kindOf = v: if isFunction v then "a function" else if isList v then "a list" else "a ${builtins.typeOf v}";
      # Options that a module declares again are ours already.
      undeclared = options: if options ? microvm then options // { microvm = beside known options.microvm; } else options;
      declares = own: m: (isPath m || isString m) && builtins.match ".*/options\\.nix" (toString m) != null
        && builtins.pathExists m && builtins.match ".*options\\.microvm.*" (builtins.readFile m) != null;
      foundIn = own: v:
        if isProperty v then concatMap (foundIn own) (if v._type == "merge" then v.contents else [ v.content ])
        else if isAttrs v then concatMap (name: if v ? ${name} then survey marks.${name} own.${name} [ name ] (place name v null) v.${name} else [ ]) [ "microvm" ]
        else [ ];

      evaluated = lib.evalModules {
        modules = [
          {
            _file = "microvm's options";
            options = {
              microvm = lenient [ "microvm" ] known;
              networking.hostName = lenient [ "networking" "hostName" ] (lib.mkOption { default = if name == null then "nixos" else name; type = lib.types.str; });
              networking.domain = lib.mkOption { default = null; type = anything; };
              networking.fqdn = lib.mkOption { default = whole; type = anything; };
              networking.fqdnOrHostName = lib.mkOption { default = whole; type = anything; };
              system.stateVersion = lib.mkOption { default = "26.05"; type = anything; };
              declarationSurvey = lib.mkOption { default = [ ]; type = lib.types.listOf anything; };
            };
            # All else of NixOS is left alone: it can be read where it is defined.
            config = { _module.freeformType = lib.types.lazyAttrsOf lazyAnything; } // standards;
          }
        ] ++ map (wrap "the declaration") modules;
        specialArgs = { inherit lib modulesPath; pkgs = ownPkgs; } // specialArgs // given;
      };
      # Of two values for one option of NixOS we can't know how they join, but for sets and lists. A name's value is not looked
      # at before somebody asks for it, so that one may be made from another beside it.
      lazyAnything = lib.mkOptionType {
        name = "anything";
        description = "anything";
        check = _: true;
        merge = loc: definitions:
          if all (d: isSet d.value) definitions then (lib.types.lazyAttrsOf lazyAnything).merge loc definitions
          else if all (d: isList d.value) definitions then concatMap (d: d.value) definitions
          else lib.mergeEqualOption loc definitions;
      };
      inherit (evaluated.config) networking;
      whole = if networking.domain == null then networking.hostName else "${networking.hostName}.${networking.domain}";
      anything = lib.mkOptionType { name = "anything"; description = "anything"; check = _: true; merge = _: d: (head d).value; };
      # What declarations read of NixOS's own, by its defaults.
      standards =
        lib.mapAttrsRecursiveCond (v: !(v ? __keep)) (_: v: lib.mkOptionDefault (v.__keep or v)) {
          networking.useNetworkd = false;
          networking.firewall.enable = true;
          systemd.network.enable = false;
          time.timeZone = null;
          system.name = networking.hostName;
          nixpkgs.hostPlatform.__keep = ownPkgs.stdenv.hostPlatform or { system = builtins.currentSystem; };
          nixpkgs.system = builtins.currentSystem;
          boot.kernelPackages.__keep = ownPkgs.linuxPackages or { };
        };

      surveyed = evaluated.config.declarationSurvey;
      # The options that some module defines, as a tree; defaults are the rules' own affair.
      touched = foldl' (tree: s: if s.stray then tree else lib.recursiveUpdate tree (lib.setAttrByPath s.path true)) { } surveyed;
      defined = path: tree: declared: names: concatMap
        (name:
          let
            o = tree.${name};
            declaration = declared.${name};
            given = if opaque declaration || !o.isDefined then [ ] else filter isMarked o.definitionsWithLocations;
            inner = defined (path ++ [ name ]) o declaration names.${name};
          in
          if isOption o then if given == [ ] then [ ] else [ ({ n = name; } // join (spelled (path ++ [ name ])) (kind declaration) (marked given)) ]
          else if inner == [ ] then [ ] else [ { n = name; p = (head inner).p; v.m = inner; } ])
        (attrNames names);
      # A stray goes back to where it was written, among the members.
      insert = list: s:
        if s.path == [ ] then list
        else
          let
            n = head s.path; rest = builtins.tail s.path;
            old = filter (m: m.n == n) list;
            inside = if old != [ ] && isAttrs (head old).v && (head old).v ? m then (head old).v.m else [ ];
          in
          filter (m: m.n != n) list ++ [
            (if rest == [ ] then { inherit n; p = s.at; v = shallow s.value; }
            else { inherit n; p = if old == [ ] then s.at else (head old).p; v.m = insert inside (s // { path = rest; }); })
          ];

      base = concatMap (m: if m.v.m == [ ] then [ ] else [ m ]) [
        { n = "microvm"; p = null; v.m = defined [ "microvm" ] evaluated.options.microvm known (touched.microvm or { }); }
        { n = "networking"; p = null; v.m = defined [ "networking" ] evaluated.options.networking marks.networking { hostName = true; }; }
      ];
    in
    {
      tagged = { p = null; v.m = foldl' insert base (filter (s: s.stray) surveyed); };
      inherit (evaluated) config options;
      pkgs = ownPkgs;
      inherit lib;
      _type = "configuration";
      extendModules = more: evaluate { inherit name guestPkgs; modules = modules ++ more.modules or [ ]; specialArgs = specialArgs // more.specialArgs or { }; };
    };

  # A configuration that another module system has finished: values from its options' definitions, or from plain data.
  configured = system:
    let
      tree = system.options.microvm or null;
      known = foldl' (all: o: all // o.options.microvm) { } (map (o: o { inherit lib pkgs; inherit (system) config; }) options);
      unmarked = d: { at = { inherit (d) file; line = 0; column = 0; }; order = 1000; priority = 100; inherit (d) value; };
      # Below the priority of a declaration's own lines are only defaults.
      fromOptions = path: set: names: concatMap
        (name:
          let o = set.${name}; declared = names.${name}; in
          if !(set ? ${name}) then [ ]
          else if isOption o then
            if opaque declared || elem (kind declared) [ "package" ] || o.highestPrio or 100 >= 1000 || !o.isDefined then [ ]
            else [ ({ n = name; } // join (spelled (path ++ [ name ])) (kind declared) (map unmarked o.definitionsWithLocations)) ]
          else let inner = fromOptions (path ++ [ name ]) o declared; in if inner == [ ] then [ ] else [ { n = name; p = null; v.m = inner; } ])
        (attrNames names);
      data = value: join "data" "" [ { at = first value null; order = 1000; priority = 100; value = value // intersectAttrs value { interfaces = if isList value.interfaces then map unsaid value.interfaces else value.interfaces; }; } ];
      # microvm.nix gives every interface a `bridge`, and null is its default: nobody may have said it.
      unsaid = interface: if interface.bridge or "" == null then removeAttrs interface [ "bridge" ] else interface;
      given = value: join "data" "" [ { at = null; order = 1000; priority = 100; inherit value; } ];
      # A host's own VMs, each with the configuration that the host's module evaluated for it.
      cfg = system.config.microvm or { };
      hosted = if tree == null || cfg.vms or { } == { } then [ ] else [ { n = "vms"; p = null; v.m = map hostedVm (attrNames cfg.vms); } ] ++ hostOptions;
      hostOptions = concatMap (n: if cfg ? ${n} then [ ({ inherit n; } // given cfg.${n}) ] else [ ]) [ "autostart" "stateDir" ];
      hostedVm = n:
        let
          vm = cfg.vms.${n};
          flake = vm.flake or null;
          guest =
            if flake != null then let systems = flake.nixosConfigurations or { }; in systems.${n} or null
            else if vm.evaluatedConfig or null != null then vm.evaluatedConfig else vm.config or null;
          whole = if guest == null then [ ] else [ { n = if flake == null then "config" else "evaluated"; p = null; inherit ((ofSystem guest).tagged) v; } ];
        in
        {
          inherit n;
          p = null;
          v.m = whole
            ++ concatMap (o: if vm.${o} or null == null then [ ] else [ { n = o; p = null; v = vm.${o}; } ]) [ "updateFlake" "autostart" "restartIfChanged" ]
            ++ (if flake == null then [ ] else [ { n = "flake"; p = null; v = toString flake; } ]);
        };
      # What the guest starts from, where the declaration does not say it: as microvm.nix takes it of NixOS. Only a VM that is
      # to be started needs it, and it costs the evaluation of the whole guest.
      build = system.config.system.build or { };
      boot = system.config.boot or { };
      path = n: v: { inherit n; p = null; v = "${v}"; };
      kernel = if cfg.kernel or null != null then cfg.kernel else boot.kernelPackages.kernel or null;
      started = declared: if !boots || !(cfg ? interfaces || cfg ? hypervisor) then declared else declared ++ filter (m: !any (d: d.n == m.n && (d.v or null) != null) declared) (
        (if kernel == null then [ ] else [ (if isAttrs kernel && kernel ? dev then { n = "kernel"; p = null; v.m = [ (path "outPath" kernel) (path "dev" kernel.dev) ]; } else path "kernel" kernel) ])
        ++ (if cfg.initrdPath or null != null then [ (path "initrdPath" cfg.initrdPath) ]
          else if build ? initialRamdisk then [ (path "initrdPath" "${build.initialRamdisk}/${boot.loader.initrdFile or system.config.system.boot.loader.initrdFile or "initrd"}") ] else [ ])
        ++ (if cfg.storeOnDisk or false && cfg.storeDisk or null != null then [ (path "storeDisk" cfg.storeDisk) ] else [ ])
        ++ (if build ? toplevel then [ ({ n = "kernelParams"; } // given (boot.kernelParams or [ ] ++ [ "init=${build.toplevel}/init" ])) ] else [ ]));
      whole = if tree == null then data system.config.microvm else { p = null; v.m = fromOptions [ "microvm" ] tree known ++ hosted; };
    in
    {
      p = null;
      v.m = [
        ({ n = "microvm"; } // whole // { v.m = started whole.v.m; })
        { n = "networking"; p = null; v.m = [ { n = "hostName"; p = null; v = system.config.networking.hostName or "nixos"; } ]; }
      ];
    };
in
{
  inherit evaluate ofSystem;
}

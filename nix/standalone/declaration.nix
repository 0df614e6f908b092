# Evaluates declarations and tells where each value stands, over the evalModules of nixpkgs' lib or of the stand-in.
#
# Every module is wrapped on its way in: definitions under `microvm` are marked with their position, and those that no
# option takes are set aside instead of being fatal, so that `check` can name all of them at once. The types of the
# options only say here how definitions join; whether a value is right is for the rules in the binary to say.
#
# The result is plain data: { n, p, v } for a member (name, position, value), v = { m = members; } for an attribute set,
# { l = items; } for a list, { c = [ p … ]; } for definitions that contradict each other, { f = kind; } for a value that is
# no data, else the value itself. A position is { file, line, column } or null.
{ lib, pkgs, modulesPath, load, options, data ? [ ] }:
let
  inherit (builtins) all any attrNames concatMap elem filter foldl' head intersectAttrs isAttrs isFunction isList isPath isString length map mapAttrs removeAttrs sort;

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
  marked = map (d: { at = d.value.at or null; order = d.value.order or 1000; priority = 100; inherit (d.value) value; });

  # Marks the definitions in a module's values; `known` is the tree of options, and outside of `microvm` unknown names pass.
  annotate = closed: known: at: order: v:
    if isProperty v then within (annotate closed known at (if v._type == "order" then v.priority else order)) v
    else if isOption known then mark at order v
    else if isAttrs v then
      mapAttrs (name: value: annotate (closed || name == "microvm") known.${name} (place name v at) order value) (intersectAttrs known v)
      // (if closed then { } else removeAttrs v (attrNames known))
    else if closed then { } else v;
  # Which options a module defines, whatever the conditions, and what no option takes: [ { path, at, stray, value } ].
  survey = known: path: at: v:
    if isProperty v then concatMap (survey known path at) (if v._type == "merge" then v.contents else [ v.content ])
    else if isOption known then [ { inherit path; stray = false; } ]
    else if !isAttrs v then [ { inherit path at; stray = true; value = v; } ]
    else concatMap
      (name:
        let here = place name v at; in
        if known ? ${name} then survey known.${name} (path ++ [ name ]) here v.${name} else [ { path = path ++ [ name ]; at = here; stray = true; value = v.${name}; } ])
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
    else if all (d: isList d.value) kept then { p = one.at; v.l = concatMap (d: concatMap (element path d.at) d.value) kept; }
    else if type == "separatedString" && all (d: isString d.value) kept then { p = one.at; v = builtins.concatStringsSep "\n" (map (d: d.value) kept); }
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
  scalar = v:
    if isPath v then toString v
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

  # The VMs of a fleet: each `config` is a declaration of its own, and is evaluated as one.
  vms = definitions: concatMap
    (name:
      let
        found = concatMap peel (under name definitions);
        configs = under "config" (filter (d: isSet d.value) found);
        whole = evaluate name (map (d: d.value) (concatMap peel configs));
        rest = map (d: if isSet d.value then d // { value = intersectAttrs { flake = null; updateFlake = null; autostart = null; restartIfChanged = null; } d.value; } else d) found;
        others = (join "microvm.vms.${name}" "" rest).v;
        known = [ "config" "flake" "updateFlake" "autostart" "restartIfChanged" "evaluatedConfig" "nixpkgs" "pkgs" "specialArgs" "extraModules" ];
        unknown = concatMap (d: concatMap (n: if elem n known then [ ] else [ { inherit n; p = place n d.value d.at; v = shallow d.value.${n}; } ]) (attrNames d.value)) (filter (d: isSet d.value) found);
      in
      if found == [ ] then [ ]
      else if !isAttrs others || !(others ? m) then [ { n = name; p = (head found).at; v = others; } ]
      else [ { n = name; p = (head found).at; v.m = others.m ++ unknown ++ (if configs == [ ] then [ ] else [ { n = "config"; p = (head configs).at; inherit (whole) v; } ]); } ])
    (namesOf definitions);
  shallow = v: if isList v then { l = [ ]; } else if isAttrs v then { m = [ ]; } else scalar v;
  # Options of the host, in a file that declares a fleet.
  fleet = { vms = leaf { }; autostart = leaf [ ]; stateDir = leaf "/var/lib/microvms"; host.enable = leaf true; host.startupTimeout = leaf 150; host.useNotifySockets = leaf false; };
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
    else if path == "microvm.binScripts" then
      builtins.listToAttrs (map (s: { inherit (s) name; value = builtins.concatStringsSep "\n" (map (d: d.value) s.parts); }) (scriptsOf (concatMap peel found)))
    # A function or a package stays itself for those who read it.
    else if length found == 1 && !isAttrs (head found).value && !isList (head found).value then (head found).value
    else if all (d: !isSet d.value && isAttrs d.value && !isProperty d.value) found then (head found).value
    else plain (join path (kind o) found);

  # One VM out of its modules.
  evaluate = name: modules:
    let
      known = fleet // foldl' (all: o: all // o.options.microvm) { } (map (o: o { inherit lib pkgs; inherit (evaluated) config; }) options);
      marks = { microvm = known; networking.hostName = lib.mkOption { }; };

      wrap = file: module:
        if isPath module || (isString module && module != "") then
          if absent (toString module) then { } else rewrap (toString module) (toString module) (load (toString module))
        else rewrap file null module;
      rewrap = file: key: module:
        if isFunction module || (isAttrs module && module ? __functor) then
          lib.setFunctionArgs (arguments: dress file key (module arguments)) (lib.functionArgs module)
        else dress file key module;
      # modulesPath leads nowhere without nixpkgs.
      absent = path: builtins.substring 0 (builtins.stringLength modulesPath) path == modulesPath && !builtins.pathExists path;
      dress = file: key: module:
        let
          set = if isAttrs module then module else throw "a declaration is an attribute set or a function to one; ${file} is ${builtins.typeOf module}";
          full = set ? config || set ? options;
          config = if isProperty set then set else if full then set.config or { } else removeAttrs set [ "imports" "disabledModules" "_file" "key" "freeformType" "meta" "_class" ];
          own = set._file or file;
        in
        # microvm.nix's own module, or ours, imported by its path: the options are here already.
        if (set.options.microvm or { }) ? hypervisor || any (declares own) (set.imports or [ ]) then { _file = own; }
        else {
          _file = own;
          imports = map (wrap own) (set.imports or [ ]);
          config = lib.mkMerge [ (outer config) { declarationSurvey = foundIn config; } ];
        }
        // intersectAttrs { disabledModules = null; freeformType = null; } set
        // (if set ? options then { inherit (set) options; } else { })
        // (if key == null then intersectAttrs { key = null; } set else { inherit key; });
      declares = own: m: (isPath m || isString m) && builtins.match ".*/options\\.nix" (toString m) != null
        && builtins.pathExists m && builtins.match ".*options\\.microvm.*" (builtins.readFile m) != null;
      outer = annotate false marks null 1000;
      foundIn = v:
        if isProperty v then concatMap foundIn (if v._type == "merge" then v.contents else [ v.content ])
        else if isAttrs v then concatMap (name: if v ? ${name} then survey marks.${name} [ name ] (place name v null) v.${name} else [ ]) [ "microvm" ]
        else [ ];

      evaluated = lib.evalModules {
        modules = [
          {
            _file = "microvm's options";
            options = {
              microvm = lenient [ "microvm" ] known;
              networking.hostName = lenient [ "networking" "hostName" ] (lib.mkOption { default = if name == null then "nixos" else name; type = lib.types.str; });
              networking.domain = lib.mkOption { default = null; type = anything; };
              system.stateVersion = lib.mkOption { default = "26.05"; type = anything; };
              declarationSurvey = lib.mkOption { default = [ ]; type = lib.types.listOf anything; };
            };
            # All else of NixOS is left alone: it can be read where it is defined.
            config._module.freeformType = lib.types.lazyAttrsOf lib.types.anything;
          }
        ] ++ map (wrap "the declaration") modules;
        specialArgs = { inherit lib pkgs modulesPath; };
      };
      anything = lib.mkOptionType { name = "anything"; description = "anything"; check = _: true; merge = _: d: (head d).value; };

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
    { p = null; v.m = foldl' insert base (filter (s: s.stray) surveyed); };

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
    in
    {
      p = null;
      v.m = [
        ({ n = "microvm"; } // (if tree == null then data system.config.microvm else { p = null; v.m = fromOptions [ "microvm" ] tree known; }))
        { n = "networking"; p = null; v.m = [ { n = "hostName"; p = null; v = system.config.networking.hostName or "nixos"; } ]; }
      ];
    };
in
{
  inherit evaluate configured;
}

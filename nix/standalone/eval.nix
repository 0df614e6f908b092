# Evaluates a MicroVM declaration where no nixpkgs is at hand, and tells where each value stands.
# The result is plain data: { m = [ { n, p, v } ]; } for an attribute set, { l = [ … ]; } for a list, else the value.
{ file }:
let
  inherit (builtins) isAttrs isList isFunction isString isPath attrNames concatMap concatLists map filter foldl' head length sort all elem;

  lib = rec {
    inherit (builtins) map filter elem head tail length concatLists concatStringsSep attrNames attrValues genList toString mapAttrs listToAttrs elemAt;
    mkIf = condition: content: { _type = "if"; inherit condition content; };
    mkMerge = contents: { _type = "merge"; inherit contents; };
    mkOverride = priority: content: { _type = "override"; inherit priority content; };
    mkOptionDefault = mkOverride 1500;
    mkDefault = mkOverride 1000;
    mkForce = mkOverride 50;
    mkVMOverride = mkOverride 10;
    mkOrder = priority: content: { _type = "order"; inherit priority content; };
    mkBefore = mkOrder 500;
    mkAfter = mkOrder 1500;
    optional = condition: value: if condition then [ value ] else [ ];
    optionals = condition: values: if condition then values else [ ];
    optionalString = condition: text: if condition then text else "";
    optionalAttrs = condition: set: if condition then set else { };
    concatMap = builtins.concatMap;
    concatMapStrings = f: list: builtins.concatStringsSep "" (map f list);
    concatMapStringsSep = separator: f: list: builtins.concatStringsSep separator (map f list);
    concatStrings = builtins.concatStringsSep "";
    concatLines = list: builtins.concatStringsSep "" (map (line: line + "\n") list);
    imap0 = f: list: genList (i: f i (elemAt list i)) (length list);
    imap1 = f: list: genList (i: f (i + 1) (elemAt list i)) (length list);
    range = first: last: if first > last then [ ] else genList (i: first + i) (last - first + 1);
    mapAttrsToList = f: set: map (name: f name set.${name}) (attrNames set);
    nameValuePair = name: value: { inherit name value; };
    genAttrs = names: f: listToAttrs (map (name: nameValuePair name (f name)) names);
    fixedWidthString = width: filler: text:
      if builtins.stringLength text >= width then text else fixedWidthString width filler (filler + text);
    toHexString = n: if n < 16 then elemAt [ "0" "1" "2" "3" "4" "5" "6" "7" "8" "9" "A" "B" "C" "D" "E" "F" ] n
      else toHexString (n / 16) + toHexString (n - (n / 16) * 16);
    getExe' = package: name: "${package}/bin/${name}";
    getExe = package: getExe' package (package.meta.mainProgram or package.pname or package.name);
  };

  package = name: { type = "derivation"; inherit name; pname = name; outPath = "/run/current-system/sw"; };
  pkgs = lib.genAttrs [ "iproute2" "coreutils" "bash" "iptables" "nftables" "bridge-utils" "ethtool" "socat" "qemu" ] package
    // { inherit lib; };

  # Every module with all that it imports, its own last.
  load = module:
    let
      loaded = if isPath module || isString module then import module else module;
      body = if isFunction loaded then loaded { inherit lib pkgs config; options = { }; modulesPath = "/run/current-system"; } else loaded;
      given = body.config or (removeAttrs body [ "imports" "options" "_file" "key" ]);
    in
    concatMap load (body.imports or [ ]) ++ [ given ];
  inherit (builtins) removeAttrs;

  # A condition travels with its definition and is looked at only where a value is taken: as in NixOS, it may ask
  # for other values of the same configuration.
  # A value with its mkIf, mkMerge, mkOverride and mkOrder taken off.
  discharge = definition:
    let v = definition.value; kind = if isAttrs v then v._type or "" else ""; in
    if kind == "if" then discharge (definition // { value = v.content; when = definition.when && v.condition; })
    else if kind == "merge" then concatMap (c: discharge (definition // { value = c; })) v.contents
    else if kind == "override" then discharge (definition // { value = v.content; inherit (v) priority; })
    else if kind == "order" then discharge (definition // { value = v.content; order = v.priority; })
    else [ definition ];

  isSet = v: isAttrs v && (v.type or "") != "derivation" && !(v ? outPath);

  # One value from many definitions of one option, as { p, v } with v tagged.
  merge = path: definitions:
    if all (d: isSet d.value) definitions then
      { p = (head definitions).at; v = { m = members path definitions; }; }
    else
      let
        best = foldl' (a: d: if d.priority < a then d.priority else a) 10000 definitions;
        kept = sort (a: b: a.order < b.order) (filter (d: d.priority == best) definitions);
        first = head kept;
      in
      if all (d: isList d.value) kept then
        { p = first.at; v = { l = concatMap (d: map (element d.at path) d.value) kept; }; }
      else if length kept == 1 || all (d: d.value == first.value) kept then { p = first.at; v = scalar first.value; }
      else if all (d: isString d.value) kept && elem "binScripts" path then
        { p = first.at; v = builtins.concatStringsSep "\n" (map (d: d.value) kept); }
      else throw "the option '${builtins.concatStringsSep "." path}' is defined twice with different values; use lib.mkForce on the one to keep";

  element = at: path: value:
    let inner = if isSet value then atOf value at else at; in
    merge path [ { at = inner; priority = 100; order = 1000; when = true; inherit value; } ];

  atOf = set: otherwise:
    let names = attrNames set; p = if names == [ ] then null else builtins.unsafeGetAttrPos (head names) set; in
    if p == null then otherwise else { inherit (p) file line column; };

  namesOf = definitions: attrNames (foldl' (a: d: a // d.value) { } definitions);
  under = name: definitions: concatMap
    (d:
      if d.value ? ${name} then
        discharge (d // {
          value = d.value.${name};
          at = let p = builtins.unsafeGetAttrPos name d.value; in if p == null then d.at else { inherit (p) file line column; };
        })
      else [ ])
    definitions;

  members = path: definitions:
    concatMap
      (name:
        let found = filter (d: d.when) (under name definitions); in
        if found == [ ] then [ ] else [ ({ n = name; } // merge (path ++ [ name ]) found) ])
      (namesOf definitions);

  # The same values for the modules' own use: nothing is evaluated until it is asked for.
  defaults = { "networking.hostName" = "nixos"; "microvm.vcpu" = 1; "microvm.mem" = 512; "microvm.hypervisor" = "qemu"; "microvm.interfaces" = [ ]; "microvm.forwardPorts" = [ ]; };
  lazy = path: definitions:
    let name = builtins.concatStringsSep "." path; in
    if definitions != [ ] && all (d: isSet d.value) definitions then
      lib.genAttrs (namesOf definitions) (n: lazy (path ++ [ n ]) (under n definitions))
    else
      let found = filter (d: d.when) definitions; in
      if found != [ ] then plain (merge path found)
      else defaults.${name} or (throw "the option '${name}' is used but not defined");

  scalar = v: if isPath v then toString v else if isAttrs v then "${v}" else v;

  definitions = concatMap (value: discharge { at = null; priority = 100; order = 1000; when = true; inherit value; }) (load (/. + file));
  of = name: concatMap (d: if d.value ? ${name} then discharge (d // { value = d.value.${name}; }) else [ ]) definitions;
  # Only what a MicroVM is made from is evaluated; all other options of NixOS are left alone.
  only = name: fields: map (d: if isAttrs d.value then d // { value = builtins.intersectAttrs fields d.value; } else d) (of name);
  part = name: all: let found = filter (d: d.when) all; in if found == [ ] then [ ] else [ ({ n = name; } // merge [ name ] found) ];
  whole = { v.m = part "microvm" (of "microvm") ++ part "networking" (only "networking" { hostName = null; }); p = null; };

  plain = t: if isAttrs t.v && t.v ? m then builtins.listToAttrs (map (x: { name = x.n; value = plain x; }) t.v.m)
    else if isAttrs t.v && t.v ? l then map plain t.v.l else t.v;
  config = {
    networking = { hostName = defaults."networking.hostName"; } // (let found = only "networking" { hostName = null; }; in if found == [ ] then { } else lazy [ "networking" ] found);
    microvm = { vcpu = 1; mem = 512; hypervisor = "qemu"; interfaces = [ ]; forwardPorts = [ ]; }
      // (let found = of "microvm"; in if found == [ ] then { } else lazy [ "microvm" ] found);
  };
in
whole

# A small module system: modules that declare options and define their values become one configuration. It keeps to
# what nixpkgs' evalModules promises, so that a module written for the one works with the other.
lib:
let
  inherit (builtins) all any attrNames concatMap elem filter foldl' head isAttrs isList isPath isString length map mapAttrs;

  isOption = v: isAttrs v && (v._type or "") == "option";
  isProperty = v: isAttrs v && elem (v._type or "") [ "if" "merge" "override" "order" ];
  besideConfig = [ "imports" "options" "config" "freeformType" "disabledModules" "meta" "_file" "key" "_class" ];

  # A module in its full form, whichever way it was written.
  shape = file: key: module:
    if !isAttrs module then throw "the module ${file} is ${builtins.typeOf module}, not an attribute set or a function to one"
    else if isProperty module then shape file key { config = module; }
    else
      let
        full = module ? config || module ? options;
        stray = attrNames (removeAttrs module besideConfig);
        freeform = if module ? freeformType then [ { _module.freeformType = module.freeformType; } ] else [ ];
      in
      if full && stray != [ ] then
        throw "the module ${file} has '${head stray}' beside 'config' or 'options'; move it into 'config'"
      else {
        key = toString (module.key or key);
        file = toString (module._file or file);
        imports = module.imports or [ ];
        disabled = module.disabledModules or [ ];
        options = module.options or { };
        configs = freeform ++ [ (if full then module.config or { } else removeAttrs module besideConfig) ];
      };

  evalModules = { modules, specialArgs ? { }, prefix ? [ ], check ? true, args ? { }, class ? null, modulesLocation ? null }:
    let
      given = { inherit lib config; options = whole.options; } // specialArgs;

      call = file: module:
        if lib.isFunction module then
          module (given // mapAttrs
            (name: _: given.${name} or config._module.args.${name} or (throw "the module ${file} asks for the argument '${name}', which nothing provides"))
            (lib.functionArgs module))
        else module;

      # A module and all that it imports.
      load = file: key: module:
        let
          byPath = isPath module || isString module;
          at = if byPath then toString module else file;
          loaded = shape at (if byPath then at else key) (call at (if byPath then (lib.importModule or import) module else module));
        in
        if isList module then throw "the imports of ${file} hold a list inside the list"
        else { inherit (loaded) disabled; all = loadAll loaded.file loaded.key loaded.imports; own = loaded; };
      loadAll = file: key: lib.imap1 (n: load file "${key}:${toString n}");
      # As NixOS orders them: level by level, and the last first; so of two definitions of a list the later module's is the first.
      flatten = level: if level == [ ] then [ ] else map (m: m.own) level ++ flatten (concatMap (m: m.all) level);
      disabledOf = concatMap (m: map (d: toString (d.key or d)) m.disabled ++ disabledOf m.all);

      tree = loadAll "<unknown-file>" "module" (modules ++ [ internal ]);
      disabled = disabledOf tree;
      off = m: any (d: m.key == d || lib.hasSuffix "/${d}" m.key) disabled;
      prune = concatMap (m: if off m.own then [ ] else [ (m // { all = prune m.all; }) ]);
      # The first of equal keys stays: a module may be imported from many places.
      loaded = foldl' (seen: m: if seen.keys ? ${m.key} then seen else { keys = seen.keys // { ${m.key} = null; }; list = [ m ] ++ seen.list; })
        { keys = { }; list = [ ]; }
        (flatten (if disabled == [ ] then tree else prune tree));

      internal = {
        _file = "the module system";
        options._module = {
          args = lib.mkOption { type = lib.types.lazyAttrsOf lib.types.raw; default = { }; internal = true; description = "Further arguments of modules."; };
          check = lib.mkOption { type = lib.types.bool; default = check; internal = true; description = "Whether a definition without an option is an error."; };
          freeformType = lib.mkOption { type = lib.types.nullOr lib.types.optionType; default = null; internal = true; description = "The type of what has no option."; };
        };
        config._module = { inherit args; };
      };

      whole = level prefix
        (map (m: { inherit (m) file; tree = m.options; }) loaded.list)
        (concatMap (m: concatMap (c: lib.peel (lib.definition m.file c)) m.configs) loaded.list);

      freeform = whole.config._module.freeformType;
      # Rebuilt as sets around the values that have no option, for the freeform type to merge: each name by itself, so that
      # which names one set has may depend on the value of another.
      loose = map (s: lib.definition s.d.file (lib.setAttrByPath s.path (reseal s.d)));
      freely = name: strays: (freeform.merge prefix (loose strays)).${name};
      reseal = d: lib.mkIf d.when (lib.mkOverride d.priority (lib.mkOrder d.order d.value));
      config =
        if freeform == null then whole.config
        else mapAttrs (name: freely name) (builtins.groupBy (s: head s.path) whole.unknown)
          // mapAttrs (name: value: if whole.inside ? ${name} && whole.inside.${name} != [ ] then lib.recursiveUpdate (freely name whole.inside.${name}) value else value) whole.config;
      stray = head whole.strays;
      checked = value:
        if freeform == null && whole.config._module.check && whole.strays != [ ] then
          throw "The option `${lib.showOption (prefix ++ stray.path)}' does not exist. Definition values:${lib.showDefs [ stray.d ]}"
        else value;
    in
    {
      _type = "configuration";
      options = checked whole.options;
      config = checked (removeAttrs config [ "_module" ]);
      inherit (config) _module;
      inherit class;
      extendModules = more: evalModules { modules = modules ++ more.modules or [ ]; specialArgs = specialArgs // more.specialArgs or { }; inherit prefix check args; };
      type = lib.types.submoduleWith { inherit modules specialArgs; };
    };

  # One level of the tree of options.
  level = loc: declarations: definitions:
    let
      wrong = filter (d: !isAttrs d.value) definitions;
      names = foldl' (all: d: all // mapAttrs (_: _: null) d.tree) { } declarations;
      child = name: _:
        let
          path = loc ++ [ name ];
          here = concatMap (d: if d.tree ? ${name} then [ { inherit (d) file; tree = d.tree.${name}; } ] else [ ]) declarations;
          found = concatMap (d: if d.value ? ${name} then lib.peel (d // { value = d.value.${name}; }) else [ ]) definitions;
        in
        if all (d: isOption d.tree) here then option path here found
        else if any (d: isOption d.tree) here then throw "`${lib.showOption path}' is declared as an option and as a set of options, in: ${lib.concatMapStringsSep ", " (d: d.file) here}"
        else level path here found;
      children = mapAttrs child names;
      groups = filter (name: children.${name} ? strays) (attrNames children);
      # What has no option: here, and below each set of options.
      unknown = concatMap (d: map (name: { path = [ name ];  d = d // { value = d.value.${name}; }; }) (filter (name: !names ? ${name}) (attrNames d.value))) definitions;
      inside = builtins.listToAttrs (map (name: { inherit name; value = map (s: s // { path = [ name ] ++ s.path; }) children.${name}.strays; }) groups);
      checked = value: if wrong != [ ] then throw "`${lib.showOption loc}' is a set of options, not a value:${lib.showDefs wrong}" else value;
    in
    {
      # Which options there are depends on no definition, so that a module may ask `options ? NAME` before it defines one.
      options = mapAttrs (_: c: c.options) children;
      config = checked (mapAttrs (_: c: c.config) children);
      unknown = checked unknown;
      inherit inside;
      strays = checked (unknown ++ concatMap (name: inside.${name}) groups);
    };

  option = loc: declarations: definitions:
    let
      declared = foldl' (a: d: a // d.tree) { } declarations;
      typed = filter (d: d.tree ? type) declarations;
      # Two modules may declare one option, where its types go together: a submodule with more options, an enum with more values.
      type = if typed == [ ] then lib.types.unspecified else (foldl' join (head typed) (builtins.tail typed)).tree.type;
      join = a: b:
        let merged = a.tree.type.typeMerge b.tree.type.functor; in
        if merged == null then throw "The option `${lib.showOption loc}' in `${b.file}' is already declared in `${a.file}', and the types `${a.tree.type.description}' and `${b.tree.type.description}' don't go together."
        else a // { tree = a.tree // { type = merged; }; };
      holding = filter (d: d.when) definitions;
      # A default that is not needed is not looked at.
      standard = if declared ? default && all (d: d.priority >= 1500) holding then [ ((lib.definition (head declarations).file (lib.mkOptionDefault declared.default))) ] else [ ];
      merged = lib.mergeDefinitions loc type (definitions ++ standard);
      value =
        if declared.readOnly or false && length holding > 1 then throw "The option `${lib.showOption loc}' is read-only, but it's set multiple times."
        else merged.value;
    in
    rec {
      config = (declared.apply or lib.id) value;
      options = declared // {
        _type = "option";
        inherit loc type;
        value = config;
        inherit (merged) isDefined;
        definitions = map (d: d.value) merged.kept;
        definitionsWithLocations = map (d: { inherit (d) file value; }) merged.kept;
        files = map (d: d.file) merged.kept;
        highestPrio = if merged.kept == [ ] then 9999 else (head merged.kept).priority;
        declarations = map (d: d.file) declarations;
        options = type.getSubOptions loc;
        __toString = _: lib.showOption loc;
      };
    };
in
{
  inherit evalModules isOption;
  mkOption = attributes: attributes // { _type = "option"; };
  mkEnableOption = name: lib.mkOption { type = lib.types.bool; default = false; example = true; description = "Whether to enable ${name}."; };
  mkPackageOption = pkgs: name: { default ? name, ... }: lib.mkOption { type = lib.types.package; default = lib.getAttrFromPath (lib.toList default) pkgs; defaultText = lib.literalExpression "pkgs.${lib.concatStringsSep "." (lib.toList default)}"; description = "The ${lib.concatStringsSep "." (lib.toList name)} package to use."; };
  literalExpression = text: { _type = "literalExpression"; inherit text; };
  literalMD = text: { _type = "literalMD"; inherit text; };
  mdDoc = lib.id;
  mkRenamedOptionModule = from: to: { config, options, ... }: {
    options = lib.setAttrByPath from (lib.mkOption { visible = false; description = "Now `${lib.showOption to}`."; });
    config = let old = lib.getAttrFromPath from options; in lib.mkIf old.isDefined (lib.setAttrByPath to (lib.mkMerge old.definitions));
  };
  mkAliasOptionModule = lib.mkRenamedOptionModule;
  mkRemovedOptionModule = path: why: { options, ... }: {
    options = lib.setAttrByPath path (lib.mkOption { visible = false; description = "Removed."; apply = _: throw "The option `${lib.showOption path}' can no longer be used since it's been removed. ${why}"; });
  };
  optionAttrSetToDocList = options: concatMap
    (o:
      let sub = if o.visible or true == "shallow" then [ ] else lib.optionAttrSetToDocList (o.type.getSubOptions o.loc); in
      if o.visible or true == false || o.internal or false then [ ]
      else [ ({ name = lib.showOption o.loc; inherit (o) loc declarations; description = o.description or null; type = o.type.description; readOnly = o.readOnly or false; }
        // lib.optionalAttrs (o ? example) { inherit (o) example; }
        // lib.optionalAttrs (o ? default || o ? defaultText) { default = o.defaultText or o.default; }) ] ++ sub)
    (lib.collect isOption options);
  evalOptionValue = loc: o: definitions: (option loc [ { file = "<unknown-file>"; tree = o; } ] (map (d: lib.definition d.file or "<unknown-file>" d.value // d) definitions)).options;
  modules = { inherit evalModules; inherit (lib) mkIf mkMerge mkForce mkDefault mkOverride mkBefore mkAfter mkOrder mkRenamedOptionModule mkRemovedOptionModule; };
  options = { inherit (lib) mkOption mkEnableOption mkPackageOption literalExpression showOption; };
}

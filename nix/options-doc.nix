# All options of the modules as plain data: [ { name, module, type, default, example, description } ], for docs/options.md.
{ lib }:
let
  pkgs = import ./standalone/packages.nix lib;
  show = v:
    if v._type or "" == "literalExpression" || v._type or "" == "literalMD" then v.text
    else if builtins.isAttrs v && lib.isDerivation v then "pkgs.${v.pname}"
    else if builtins.isAttrs v && v == { } then "{ }"
    else if builtins.isAttrs v then "{ ${lib.concatStrings (lib.mapAttrsToList (name: value: "${lib.escapeNixIdentifier name} = ${show value}; ") v)}}"
    else if builtins.isList v then (if v == [ ] then "[ ]" else "[ ${lib.concatMapStringsSep " " show v} ]")
    else builtins.toJSON v;
  of = module: path:
    let
      options = (lib.evalModules { modules = [ path { freeformType = lib.types.lazyAttrsOf lib.types.anything; _module.args = { inherit pkgs; }; } ]; }).options;
    in
    map
      (o: {
        inherit module;
        inherit (o) name type;
        description = if builtins.isString o.description then o.description else o.description.text;
        default = if o ? default then show o.default else "";
        example = if o ? example then show o.example else "";
      })
      (builtins.filter (o: !(lib.hasPrefix "_module" o.name) && !(module == "microvm-nix" && o.name == "microvm.binScripts")) (lib.optionAttrSetToDocList options));
in
of "microvm" ./modules/microvm/options.nix ++ of "host" ./modules/host/options.nix ++ of "microvm-nix" ./modules/microvm-nix
